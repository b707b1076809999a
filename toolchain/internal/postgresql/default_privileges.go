package postgresql

import (
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
)

// defaultPrivilegesType is what objects that an owner makes from now on are granted with.
var defaultPrivilegesType = resourceType{
	fields: append(grantFields("role", "database", "owner"),
		field{name: "objectType", kind: text, required: true, replaces: true, allowed: []string{"table", "sequence", "function", "type", "schema"}},
		field{name: "schema", kind: text, replaces: true},
	),
	check: func(in values) []p.CheckFailure {
		failures := checkPrivileges(in)
		if in.str("objectType") == "schema" && in.str("schema") != "" {
			failures = append(failures, p.CheckFailure{Property: "schema", Reason: "expected none where objectType is schema"})
		}
		return failures
	},
	place:  "database",
	owners: "SELECT $1::json->>'owner'",
	write: func(_, in values) []string {
		statements := []string{alterDefault(in, "REVOKE ALL", " FROM "+in.ident("role"))}
		if privileges := listOf(in, "privileges"); privileges != "" {
			statements = append(statements, alterDefault(in, "GRANT "+privileges, grantOf(in)))
		}
		return statements
	},
	remove: func(old values) []string {
		return []string{alterDefault(old, "REVOKE ALL", " FROM "+old.ident("role"))}
	},
	// Where the owner has no list for the whole database, the built-in one counts, which gives PUBLIC EXECUTE on functions
	// and USAGE on types. Wanted and nothing there: it is gone.
	read: `SELECT json_build_object('granted', json_build_array(privileges))
		FROM (SELECT ` + granted + ` AS privileges FROM (SELECT coalesce(
				(SELECT defaclacl FROM pg_default_acl WHERE defaclrole = r.oid AND defaclobjtype = kind
					AND defaclnamespace = coalesce(to_regnamespace(quote_ident($1::json->>'schema')), 0)),
				CASE WHEN $1::json->>'schema' IS NULL THEN acldefault(replace(kind::text, 'S', 's')::"char", r.oid) END) AS acl
			FROM pg_roles r, (SELECT CASE $1::json->>'objectType' WHEN 'table' THEN 'r' WHEN 'sequence' THEN 'S'
				WHEN 'function' THEN 'f' WHEN 'type' THEN 'T' ELSE 'n' END::"char" AS kind) k
			WHERE rolname = $1::json->>'owner') list) found
		WHERE ` + roleExists + ` AND (privileges <> '{}' OR json_array_length($1::json->'privileges') = 0)
			AND ($1::json->>'schema' IS NULL OR to_regnamespace(quote_ident($1::json->>'schema')) IS NOT NULL)`,
	settle: settlePrivileges,
	id: func(v values) string {
		schema := v.str("schema")
		if schema == "" {
			schema = "noschema"
		}
		return strings.Join([]string{v.str("role"), v.str("database"), schema, v.str("owner"), v.str("objectType")}, "_")
	},
}

func alterDefault(in values, before, after string) string {
	scope := "ALTER DEFAULT PRIVILEGES FOR ROLE " + in.ident("owner")
	if in.str("schema") != "" {
		scope += " IN SCHEMA " + in.ident("schema")
	}
	return scope + " " + before + " ON " + strings.ToUpper(in.str("objectType")) + "S" + after
}
