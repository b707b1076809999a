package postgresql

import (
	"slices"
	"strings"

	"github.com/lib/pq"
	p "github.com/pulumi/pulumi-go-provider"
)

var grantType = resourceType{
	fields: append(grantFields("role", "database"),
		field{name: "objectType", kind: text, required: true, replaces: true, allowed: []string{"database", "schema", "table", "sequence", "function"}},
		field{name: "schema", kind: text, replaces: true},
		field{name: "objects", kind: set, replaces: true},
	),
	check: checkGrant,
	place: "database",
	owners: `SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = $1::json->>'schema'
		UNION SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1::json->>'schema'))
			AND $1::json->>'objectType' <> 'schema'`,
	// What was granted is revoked and what is wanted granted in one transaction: no moment goes by without access.
	write: func(old, in values) []string {
		if old == nil {
			old = in
		}
		statements := []string{revoke(old)}
		if len(in.set("privileges")) > 0 {
			statements = append(statements, "GRANT "+listOf(in, "privileges")+" ON "+grantTarget(in)+grantOf(in))
		}
		return statements
	},
	remove: func(old values) []string { return []string{revoke(old)} },
	read:   readGrant,
	settle: settlePrivileges,
	id:     grantID,
}

// grantID is the official one: role_database[_schema]_objectType[_object…].
func grantID(v values) string {
	parts := []string{v.str("role"), v.str("database")}
	if v.str("objectType") != "database" {
		parts = append(parts, v.str("schema"))
	}
	return strings.Join(slices.Concat(parts, []string{v.str("objectType")}, v.set("objects")), "_")
}

func checkGrant(in values) []p.CheckFailure {
	failures := checkPrivileges(in)
	kind := in.str("objectType")
	if _, given := in["schema"]; !given && kind != "database" {
		failures = append(failures, p.CheckFailure{Property: "schema", Reason: "expected one, unless objectType is database"})
	}
	if len(in.set("objects")) > 0 && (kind == "database" || kind == "schema") {
		failures = append(failures, p.CheckFailure{Property: "objects", Reason: "expected none where objectType is " + kind})
	}
	return failures
}

// revoke takes back what a grant gives. Named objects lose the named privileges alone, so that grants of other
// privileges on them stay; a whole schema's objects lose all.
func revoke(old values) string {
	privileges := listOf(old, "privileges")
	if len(old.set("objects")) == 0 || privileges == "" {
		privileges = "ALL"
	}
	return "REVOKE " + privileges + " ON " + grantTarget(old) + " FROM " + old.ident("role")
}

// grantTarget is what stands after ON.
func grantTarget(in values) string {
	kind, schema := strings.ToUpper(in.str("objectType")), in.ident("schema")
	switch {
	case kind == "DATABASE":
		return kind + " " + in.ident("database")
	case kind == "SCHEMA":
		return kind + " " + schema
	case len(in.set("objects")) == 0:
		return "ALL " + kind + "S IN SCHEMA " + schema
	}
	names := []string{}
	for _, object := range in.set("objects") {
		names = append(names, schema+"."+pq.QuoteIdentifier(object))
	}
	return kind + " " + strings.Join(names, ", ")
}

// readGrant finds the access lists of the objects that are named or, where none is, of all that exist; an absent list is
// the built-in one. Of a whole schema's relations only plain tables count, as in the official plugin.
const readGrant = `WITH named AS (SELECT coalesce(array_agg(object), '{}') AS objects
		FROM json_array_elements_text(coalesce($1::json->'objects', '[]')) object),
	place AS (SELECT oid, nspname, coalesce(nspacl, acldefault('n', nspowner)) AS acl FROM pg_namespace
		WHERE nspname = $1::json->>'schema'),
	objects AS (
		SELECT 'database' AS kind, datname AS name, coalesce(datacl, acldefault('d', datdba)) AS acl FROM pg_database WHERE datname = current_database()
		UNION ALL SELECT 'schema', nspname, acl FROM place
		UNION ALL SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, relname,
			coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))
			FROM pg_class, named WHERE relnamespace = (SELECT oid FROM place)
			AND CASE WHEN objects = '{}' THEN relkind IN ('r', 'S') ELSE relname = ANY (objects) AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') END
		UNION ALL SELECT 'function', proname, coalesce(proacl, acldefault('f', proowner))
			FROM pg_proc, named WHERE pronamespace = (SELECT oid FROM place) AND prokind <> 'p' AND (objects = '{}' OR proname = ANY (objects)))
	SELECT json_build_object('granted', ARRAY(SELECT json_build_array(` + granted + `)->0 FROM objects
		WHERE kind = $1::json->>'objectType' ORDER BY name))
	WHERE ` + roleExists + ` AND ($1::json->>'schema' IS NULL OR EXISTS (SELECT FROM place))`
