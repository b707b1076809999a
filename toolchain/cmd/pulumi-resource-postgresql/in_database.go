package main

import (
	"context"
	"database/sql"
	"strings"

	"github.com/lib/pq"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

var schemaType = resourceType{
	fields: []field{
		{name: "name", required: true},
		{name: "database", computed: true, replaces: true},
		{name: "owner", computed: true},
		{name: "ifNotExists", kind: boolean, fallback: true},
		{name: "dropCascade", kind: boolean, fallback: false},
	},
	create: createSchema,
	read:   readSchema,
	update: updateSchema,
	remove: func(ctx context.Context, s *server, old values) error { return s.drop(ctx, "SCHEMA", old) },
	id:     func(v values) string { return v.str("database") + "." + v.str("name") },
	fromID: splitID,
}

var extensionType = resourceType{
	fields: []field{
		{name: "name", required: true, replaces: true},
		{name: "database", computed: true, replaces: true},
		{name: "schema", computed: true},
		{name: "version", computed: true},
		{name: "createCascade", kind: boolean, fallback: false},
		{name: "dropCascade", kind: boolean, fallback: false},
	},
	create: createExtension,
	read:   readExtension,
	update: updateExtension,
	remove: func(ctx context.Context, s *server, old values) error { return s.drop(ctx, "EXTENSION", old) },
	id:     func(v values) string { return v.str("database") + "." + v.str("name") },
	fromID: splitID,
}

// splitID reads `database.name`.
func splitID(id string) values {
	database, name, found := strings.Cut(id, ".")
	if !found {
		return values{"name": property.New(id)}
	}
	return values{"database": property.New(database), "name": property.New(name)}
}

// missing tells whether an object, or the database around it, is not there.
func missing(err error) bool { return hasCode(err, "3D000", "3F000", "42704") }

// drop drops an object in a database. One that is gone already is no fault.
func (s *server) drop(ctx context.Context, what string, old values) error {
	behaviour := map[bool]string{true: "CASCADE", false: "RESTRICT"}[old.boolean("dropCascade")]
	err := s.inTransaction(ctx, old.str("database"), func(tx *sql.Tx) error {
		return asMember(ctx, tx, []string{old.str("owner")}, func() error {
			return exec(ctx, tx, "DROP %s %s %s", what, pq.QuoteIdentifier(old.str("name")), behaviour)
		})
	})
	if missing(err) {
		return nil
	}
	return err
}

// createSchema takes over a schema that is there already, by giving it the owner, as the official plugin does.
func createSchema(ctx context.Context, s *server, in values) error {
	name, owner := pq.QuoteIdentifier(in.str("name")), in.str("owner")
	return s.inTransaction(ctx, in.str("database"), func(tx *sql.Tx) error {
		return asMember(ctx, tx, []string{owner}, func() error {
			option := map[bool]string{true: "IF NOT EXISTS "}[in.boolean("ifNotExists")]
			if err := exec(ctx, tx, "CREATE SCHEMA %s%s", option, name); err != nil || owner == "" {
				return err
			}
			return exec(ctx, tx, "ALTER SCHEMA %s OWNER TO %s", name, pq.QuoteIdentifier(owner))
		})
	})
}

func readSchema(ctx context.Context, s *server, old values) (values, error) {
	return s.readOne(ctx, old, []string{"database", "name", "owner"},
		"SELECT current_database(), nspname, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1")
}

// readOne reads one row of texts about an object in a database; nil where either is not there.
func (s *server) readOne(ctx context.Context, old values, names []string, query string) (values, error) {
	var found values
	err := s.read(ctx, old.str("database"), func(rows *sql.Rows) error {
		texts := make([]string, len(names))
		targets := make([]any, len(names))
		for i := range texts {
			targets[i] = &texts[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		found = values{}
		for i, name := range names {
			found[name] = property.New(texts[i])
		}
		return nil
	}, query, old.str("name"))
	if hasCode(err, "3D000") {
		return nil, nil
	}
	return found, err
}

func updateSchema(ctx context.Context, s *server, old, in values) error {
	name, owner := pq.QuoteIdentifier(in.str("name")), in.str("owner")
	return s.inTransaction(ctx, old.str("database"), func(tx *sql.Tx) error {
		return asMember(ctx, tx, []string{old.str("owner"), owner}, func() error {
			if old.str("name") != in.str("name") {
				if err := exec(ctx, tx, "ALTER SCHEMA %s RENAME TO %s", pq.QuoteIdentifier(old.str("name")), name); err != nil {
					return err
				}
			}
			if owner == "" || owner == old.str("owner") {
				return nil
			}
			return exec(ctx, tx, "ALTER SCHEMA %s OWNER TO %s", name, pq.QuoteIdentifier(owner))
		})
	})
}

func createExtension(ctx context.Context, s *server, in values) error {
	statement := "CREATE EXTENSION IF NOT EXISTS " + pq.QuoteIdentifier(in.str("name"))
	if schema := in.str("schema"); schema != "" {
		statement += " SCHEMA " + pq.QuoteIdentifier(schema)
	}
	if version := in.str("version"); version != "" {
		statement += " VERSION " + pq.QuoteIdentifier(version)
	}
	if in.boolean("createCascade") {
		statement += " CASCADE"
	}
	return s.inTransaction(ctx, in.str("database"), func(tx *sql.Tx) error { return exec(ctx, tx, "%s", statement) })
}

func readExtension(ctx context.Context, s *server, old values) (values, error) {
	return s.readOne(ctx, old, []string{"database", "name", "schema", "version"},
		`SELECT current_database(), extname, nspname, extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = $1`)
}

func updateExtension(ctx context.Context, s *server, old, in values) error {
	name := pq.QuoteIdentifier(in.str("name"))
	return s.inTransaction(ctx, old.str("database"), func(tx *sql.Tx) error {
		if schema := in.str("schema"); schema != "" && schema != old.str("schema") {
			if err := exec(ctx, tx, "ALTER EXTENSION %s SET SCHEMA %s", name, pq.QuoteIdentifier(schema)); err != nil {
				return err
			}
		}
		if version := in.str("version"); version != "" && version != old.str("version") {
			return exec(ctx, tx, "ALTER EXTENSION %s UPDATE TO %s", name, pq.QuoteIdentifier(version))
		}
		return nil
	})
}
