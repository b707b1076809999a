package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/lib/pq"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

var databaseType = resourceType{
	fields: []field{
		{name: "name", required: true},
		{name: "owner", computed: true},
		{name: "template", computed: true, replaces: true},
		{name: "encoding", computed: true, replaces: true},
		{name: "lcCollate", computed: true, replaces: true},
		{name: "lcCtype", computed: true, replaces: true},
		{name: "tablespaceName", computed: true},
		{name: "connectionLimit", kind: number, fallback: -1},
		{name: "allowConnections", kind: boolean, fallback: true},
		{name: "isTemplate", kind: boolean, computed: true},
		{name: "alterObjectOwnership", kind: boolean, fallback: false},
	},
	create: createDatabase,
	read:   readDatabase,
	update: updateDatabase,
	remove: removeDatabase,
	id:     func(v values) string { return v.str("name") },
	fromID: func(id string) values { return values{"name": property.New(id)} },
}

func createDatabase(ctx context.Context, s *server, in values) error {
	sql := "CREATE DATABASE " + pq.QuoteIdentifier(in.str("name")) +
		databaseOption("OWNER", in.str("owner"), "", pq.QuoteIdentifier) +
		databaseOption("TEMPLATE", in.str("template"), "template0", pq.QuoteIdentifier) +
		databaseOption("ENCODING", in.str("encoding"), "UTF8", pq.QuoteLiteral) +
		databaseOption("LC_COLLATE", in.str("lcCollate"), "", pq.QuoteLiteral) +
		databaseOption("LC_CTYPE", in.str("lcCtype"), "", pq.QuoteLiteral) +
		databaseOption("TABLESPACE", in.str("tablespaceName"), "", pq.QuoteIdentifier) +
		fmt.Sprintf(" ALLOW_CONNECTIONS %t CONNECTION LIMIT %d IS_TEMPLATE %t",
			in.boolean("allowConnections"), in.integer("connectionLimit"), in.boolean("isTemplate"))
	return s.withOwner(ctx, in.str("owner"), sql)
}

// databaseOption leaves an option out where neither the program nor the official plugin names a value.
func databaseOption(option, value, fallback string, quote func(string) string) string {
	if value == "" {
		value = fallback
	}
	switch {
	case value == "":
		return ""
	case strings.EqualFold(value, "default"):
		return " " + option + " DEFAULT"
	default:
		return " " + option + " " + quote(value)
	}
}

// withOwner runs statements that no transaction may hold, as a member of the database's owner.
func (s *server) withOwner(ctx context.Context, owner string, statements ...string) error {
	return s.write(ctx, "", func(db *sql.DB) error {
		connection, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer connection.Close()
		roles := []string{}
		if owner != "" {
			roles = append(roles, owner)
		}
		return asMember(ctx, connection, roles, func() error {
			for _, statement := range statements {
				if err := exec(ctx, connection, "%s", statement); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func readDatabase(ctx context.Context, s *server, old values) (values, error) {
	var found values
	err := s.read(ctx, "", func(rows *sql.Rows) error {
		var name, owner, encoding, collate, ctype, tablespace string
		var limit int
		var allow, template bool
		if err := rows.Scan(&name, &owner, &encoding, &collate, &ctype, &tablespace, &limit, &allow, &template); err != nil {
			return err
		}
		found = values{
			"name": property.New(name), "owner": property.New(owner), "encoding": property.New(encoding),
			"lcCollate": property.New(collate), "lcCtype": property.New(ctype), "tablespaceName": property.New(tablespace),
			"connectionLimit": property.New(float64(limit)), "allowConnections": property.New(allow), "isTemplate": property.New(template),
		}
		return nil
	}, `SELECT datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, spcname, datconnlimit, datallowconn, datistemplate
		FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = $1`, old.str("name"))
	if found != nil && old.str("template") == "" { // which one it was made from is written nowhere
		found["template"] = property.New("template0")
	}
	return found, err
}

func updateDatabase(ctx context.Context, s *server, old, in values) error {
	name := pq.QuoteIdentifier(in.str("name"))
	statements := []string{}
	alter := func(format string, args ...any) {
		statements = append(statements, "ALTER DATABASE "+name+" "+fmt.Sprintf(format, args...))
	}
	if old.str("name") != in.str("name") {
		statements = append(statements, "ALTER DATABASE "+pq.QuoteIdentifier(old.str("name"))+" RENAME TO "+name)
	}
	if owner := in.str("owner"); owner != "" && owner != old.str("owner") {
		alter("OWNER TO %s", pq.QuoteIdentifier(owner))
		if err := reassignObjects(ctx, s, old, in); err != nil {
			return err
		}
	}
	if tablespace := in.str("tablespaceName"); tablespace != "" && tablespace != old.str("tablespaceName") {
		alter("SET TABLESPACE %s", pq.QuoteIdentifier(tablespace))
	}
	if limit := in.integer("connectionLimit"); limit != old.integer("connectionLimit") {
		alter("CONNECTION LIMIT %d", limit)
	}
	if allow := in.boolean("allowConnections"); allow != old.boolean("allowConnections") {
		alter("ALLOW_CONNECTIONS %t", allow)
	}
	if _, given := in["isTemplate"]; given && in.boolean("isTemplate") != old.boolean("isTemplate") {
		alter("IS_TEMPLATE %t", in.boolean("isTemplate"))
	}
	return s.withOwner(ctx, in.str("owner"), statements...)
}

// reassignObjects gives the former owner's objects in the database to the new owner, where the program asks for it.
func reassignObjects(ctx context.Context, s *server, old, in values) error {
	if !in.boolean("alterObjectOwnership") {
		return nil
	}
	return s.inTransaction(ctx, old.str("name"), func(tx *sql.Tx) error {
		from, to := old.str("owner"), in.str("owner")
		return asMember(ctx, tx, []string{from, to}, func() error {
			return exec(ctx, tx, "REASSIGN OWNED BY %s TO %s", pq.QuoteIdentifier(from), pq.QuoteIdentifier(to))
		})
	})
}

// removeDatabase ends the sessions in the way. A database that is gone already is no fault.
func removeDatabase(ctx context.Context, s *server, old values) error {
	name := pq.QuoteIdentifier(old.str("name"))
	statements := []string{"ALTER DATABASE " + name + " ALLOW_CONNECTIONS false", "DROP DATABASE " + name + " WITH (FORCE)"}
	if old.boolean("isTemplate") {
		statements = append([]string{"ALTER DATABASE " + name + " IS_TEMPLATE false"}, statements...)
	}
	err := s.withOwner(ctx, old.str("owner"), statements...)
	if hasCode(err, "3D000") {
		return nil
	}
	return err
}
