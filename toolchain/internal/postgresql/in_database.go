package postgresql

import (
	"strings"

	"github.com/lib/pq"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

var schemaType = resourceType{
	fields: []field{
		{name: "name", kind: text, required: true},
		{name: "database", kind: text, computed: true, replaces: true},
		{name: "owner", kind: text, computed: true},
		{name: "ifNotExists", kind: boolean, fallback: yes},
		{name: "dropCascade", kind: boolean, fallback: no},
	},
	place:  "database",
	owners: "SELECT $1::json->>'owner'",
	write:  writeSchema,
	read: `SELECT json_build_object('database', current_database(), 'name', nspname, 'owner', pg_get_userbyid(nspowner))
		FROM pg_namespace WHERE nspname = $1::json->>'name'`,
	remove: func(old values) []string { return []string{"DROP SCHEMA " + old.ident("name") + behaviour(old)} },
	id:     idInDatabase,
	fromID: fromIDInDatabase,
}

var extensionType = resourceType{
	fields: []field{
		{name: "name", kind: text, required: true, replaces: true},
		{name: "database", kind: text, computed: true, replaces: true},
		{name: "schema", kind: text, computed: true},
		{name: "version", kind: text, computed: true},
		{name: "createCascade", kind: boolean, fallback: no},
		{name: "dropCascade", kind: boolean, fallback: no},
	},
	place: "database",
	write: writeExtension,
	read: `SELECT json_build_object('database', current_database(), 'name', extname, 'schema', nspname, 'version', extversion)
		FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = $1::json->>'name'`,
	remove: func(old values) []string { return []string{"DROP EXTENSION " + old.ident("name") + behaviour(old)} },
	id:     idInDatabase,
	fromID: fromIDInDatabase,
}

func idInDatabase(v values) string { return v.str("database") + "." + v.str("name") }

// fromIDInDatabase reads `database.name`.
func fromIDInDatabase(id string) values {
	database, name, found := strings.Cut(id, ".")
	if !found {
		return byName(id)
	}
	return byName(name).with(values{"database": property.New(database)})
}

func behaviour(old values) string {
	if old.boolean("dropCascade") {
		return " CASCADE"
	}
	return " RESTRICT"
}

// writeSchema takes over a schema that is there already, by giving it the owner, as the official plugin does.
func writeSchema(old, in values) (statements []string) {
	switch {
	case old == nil && in.boolean("ifNotExists"):
		statements = append(statements, "CREATE SCHEMA IF NOT EXISTS "+in.ident("name"))
	case old == nil:
		statements = append(statements, "CREATE SCHEMA "+in.ident("name"))
	case old.str("name") != in.str("name"):
		statements = append(statements, "ALTER SCHEMA "+old.ident("name")+" RENAME TO "+in.ident("name"))
	}
	if owner := in.str("owner"); owner != "" && owner != old.str("owner") {
		statements = append(statements, "ALTER SCHEMA "+in.ident("name")+" OWNER TO "+in.ident("owner"))
	}
	return statements
}

func writeExtension(old, in values) (statements []string) {
	schema, version := in.str("schema"), in.str("version")
	if old == nil {
		statement := "CREATE EXTENSION IF NOT EXISTS " + in.ident("name")
		if schema != "" {
			statement += " SCHEMA " + pq.QuoteIdentifier(schema)
		}
		if version != "" {
			statement += " VERSION " + pq.QuoteIdentifier(version)
		}
		if in.boolean("createCascade") {
			statement += " CASCADE"
		}
		return []string{statement}
	}
	if schema != "" && schema != old.str("schema") {
		statements = append(statements, "ALTER EXTENSION "+in.ident("name")+" SET SCHEMA "+pq.QuoteIdentifier(schema))
	}
	if version != "" && version != old.str("version") {
		statements = append(statements, "ALTER EXTENSION "+in.ident("name")+" UPDATE TO "+pq.QuoteIdentifier(version))
	}
	return statements
}
