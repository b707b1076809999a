package postgresql

import (
	"fmt"
	"strings"

	"github.com/lib/pq"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

var databaseType = resourceType{
	fields: []field{
		{name: "name", kind: text, required: true},
		{name: "owner", kind: text, computed: true},
		{name: "template", kind: text, computed: true, replaces: true},
		{name: "encoding", kind: text, computed: true, replaces: true},
		{name: "lcCollate", kind: text, computed: true, replaces: true},
		{name: "lcCtype", kind: text, computed: true, replaces: true},
		{name: "tablespaceName", kind: text, computed: true, replaces: true},
		{name: "connectionLimit", kind: number, fallback: unlimited},
		{name: "allowConnections", kind: boolean, fallback: yes},
		{name: "isTemplate", kind: boolean, computed: true},
		{name: "alterObjectOwnership", kind: boolean, fallback: no, fixed: true},
	},
	outside: true,
	owners:  "SELECT $1::json->>'owner'",
	write: func(old, in values) []string {
		if old == nil {
			return []string{createDatabase(in)}
		}
		return alterDatabase(old, in)
	},
	// Which template it was made from is written nowhere.
	read: `SELECT json_build_object('name', datname, 'owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding),
			'lcCollate', datcollate, 'lcCtype', datctype, 'tablespaceName', spcname, 'connectionLimit', datconnlimit,
			'allowConnections', datallowconn, 'isTemplate', datistemplate, 'template', coalesce($1::json->>'template', 'template0'))
		FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = $1::json->>'name'`,
	remove: func(old values) []string {
		return []string{
			"ALTER DATABASE " + old.ident("name") + " ALLOW_CONNECTIONS false",
			"DROP DATABASE " + old.ident("name") + " WITH (FORCE)",
		}
	},
	id:     func(v values) string { return v.str("name") },
	fromID: byName,
}

// byName reads an id that is a name.
func byName(id string) values { return values{"name": property.New(id)} }

func createDatabase(in values) string {
	return "CREATE DATABASE " + in.ident("name") +
		databaseOption("OWNER", in.str("owner"), "", pq.QuoteIdentifier) +
		databaseOption("TEMPLATE", in.str("template"), "template0", pq.QuoteIdentifier) +
		databaseOption("ENCODING", in.str("encoding"), "UTF8", pq.QuoteLiteral) +
		databaseOption("LC_COLLATE", in.str("lcCollate"), "", pq.QuoteLiteral) +
		databaseOption("LC_CTYPE", in.str("lcCtype"), "", pq.QuoteLiteral) +
		databaseOption("TABLESPACE", in.str("tablespaceName"), "", pq.QuoteIdentifier) +
		fmt.Sprintf(" ALLOW_CONNECTIONS %t CONNECTION LIMIT %d IS_TEMPLATE %t",
			in.boolean("allowConnections"), in.integer("connectionLimit"), in.boolean("isTemplate"))
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

func alterDatabase(old, in values) (statements []string) {
	alter := "ALTER DATABASE " + in.ident("name") + " "
	if old.str("name") != in.str("name") {
		statements = append(statements, "ALTER DATABASE "+old.ident("name")+" RENAME TO "+in.ident("name"))
	}
	if owner := in.str("owner"); owner != "" && owner != old.str("owner") {
		statements = append(statements, alter+"OWNER TO "+in.ident("owner"))
	}
	if limit := in.integer("connectionLimit"); limit != old.integer("connectionLimit") {
		statements = append(statements, fmt.Sprintf("%sCONNECTION LIMIT %d", alter, limit))
	}
	for field, option := range map[string]string{"allowConnections": "ALLOW_CONNECTIONS", "isTemplate": "IS_TEMPLATE"} {
		if _, given := in[field]; given && in.boolean(field) != old.boolean(field) {
			statements = append(statements, fmt.Sprintf("%s%s %t", alter, option, in.boolean(field)))
		}
	}
	return statements
}
