package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"
	p "github.com/pulumi/pulumi-go-provider"
)

var grantType = resourceType{
	fields: []field{
		{name: "role", required: true, replaces: true},
		{name: "database", required: true, replaces: true},
		{name: "objectType", required: true, replaces: true, allowed: []string{"database", "schema", "table", "sequence", "function", "column"}},
		{name: "schema", replaces: true},
		{name: "objects", kind: set, replaces: true},
		{name: "columns", kind: set, replaces: true},
		{name: "privileges", kind: set, required: true},
		{name: "withGrantOption", kind: boolean, fallback: false, replaces: true},
	},
	check:  checkGrant,
	create: func(ctx context.Context, s *server, in values) error { return writeGrant(ctx, s, in, in) },
	read:   readGrant,
	update: writeGrant,
	remove: removeGrant,
	id:     grantID,
}

// grantID is the official one: role_database[_schema]_objectType[_object…][_column…].
func grantID(v values) string {
	parts := []string{v.str("role"), v.str("database")}
	if v.str("objectType") != "database" {
		parts = append(parts, v.str("schema"))
	}
	parts = append(parts, v.str("objectType"))
	return strings.Join(slices.Concat(parts, v.set("objects"), v.set("columns")), "_")
}

func checkGrant(in values) []p.CheckFailure {
	if in.toMap().HasComputed() {
		return nil
	}
	failures := checkPrivileges(in)
	refuse := func(wrong bool, name, reason string) {
		if wrong {
			failures = append(failures, p.CheckFailure{Property: name, Reason: reason})
		}
	}
	kind, objects, columns := in.str("objectType"), len(in.strings("objects")), len(in.strings("columns"))
	whole, column := kind == "database" || kind == "schema", kind == "column"
	refuse(kind != "database" && in.str("schema") == "", "schema", "expected one, unless objectType is database")
	refuse(whole && objects > 0, "objects", "expected none where objectType is "+kind)
	refuse(!column && columns > 0, "columns", "expected none unless objectType is column")
	refuse(column && columns == 0, "columns", "expected at least one where objectType is column")
	refuse(column && objects != 1, "objects", "expected exactly one table where objectType is column")
	refuse(column && len(in.strings("privileges")) != 1, "privileges", "expected exactly one where objectType is column")
	return failures
}

// writeGrant revokes what was granted and grants what is wanted, in one transaction: no moment goes by without access.
func writeGrant(ctx context.Context, s *server, old, in values) error {
	return s.inTransaction(ctx, in.str("database"), func(tx *sql.Tx) error {
		return asOwners(ctx, tx, in, func() error {
			if err := revokeGrant(ctx, tx, old); err != nil {
				return err
			}
			privileges := in.set("privileges")
			if len(privileges) == 0 {
				return nil
			}
			return exec(ctx, tx, "GRANT %s ON %s TO %s%s", privilegeList(in, privileges), grantTarget(in), grantee(in), grantOption(in))
		})
	})
}

// revokeGrant takes back what a grant gives. Named objects lose the named privileges alone, so that grants of other
// privileges on them stay; a whole schema's objects lose all.
func revokeGrant(ctx context.Context, tx *sql.Tx, old values) error {
	privileges := old.set("privileges")
	switch {
	case old.str("objectType") == "column" && len(privileges) == 0:
		return nil
	case old.str("objectType") != "column" && (len(old.strings("objects")) == 0 || len(privileges) == 0):
		privileges = []string{"ALL"}
	}
	return exec(ctx, tx, "REVOKE %s ON %s FROM %s", privilegeList(old, privileges), grantTarget(old), grantee(old))
}

// privilegeList is `A, B`, or `A (column, …)` for columns.
func privilegeList(in values, privileges []string) string {
	if in.str("objectType") != "column" {
		return strings.Join(privileges, ", ")
	}
	columns := []string{}
	for _, column := range in.set("columns") {
		columns = append(columns, pq.QuoteIdentifier(column))
	}
	return fmt.Sprintf("%s (%s)", privileges[0], strings.Join(columns, ", "))
}

// grantTarget is what stands after ON.
func grantTarget(in values) string {
	schema := pq.QuoteIdentifier(in.str("schema"))
	switch kind := in.str("objectType"); {
	case kind == "database":
		return "DATABASE " + pq.QuoteIdentifier(in.str("database"))
	case kind == "schema":
		return "SCHEMA " + schema
	case len(in.strings("objects")) == 0:
		return "ALL " + strings.ToUpper(kind) + "S IN SCHEMA " + schema
	default:
		names := []string{}
		for _, object := range in.set("objects") {
			name, signature := splitSignature(object)
			names = append(names, schema+"."+pq.QuoteIdentifier(name)+signature)
		}
		if kind == "column" {
			kind = "table"
		}
		return strings.ToUpper(kind) + " " + strings.Join(names, ", ")
	}
}

// splitSignature splits `name(argument types)`, a function's object name, which may come without the types.
func splitSignature(object string) (name, signature string) {
	at := strings.Index(object, "(")
	if at < 0 || !strings.HasSuffix(object, ")") {
		return object, ""
	}
	return strings.TrimSpace(object[:at]), object[at:]
}

// asOwners runs fn as a member of the roles that own the schema and its relations.
func asOwners(ctx context.Context, tx *sql.Tx, in values, fn func() error) error {
	owners := []string{}
	if in.str("objectType") != "database" {
		err := tx.QueryRowContext(ctx, `SELECT array_agg(DISTINCT pg_get_userbyid(owner)::text) FROM (
			SELECT nspowner AS owner FROM pg_namespace WHERE nspname = $1
			UNION SELECT relowner FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1)) AND $2 <> 'schema') o`,
			in.str("schema"), in.str("objectType")).Scan(pq.Array(&owners))
		if err != nil {
			return err
		}
	}
	return asMember(ctx, tx, owners, fn)
}

// removeGrant revokes. Where the database, the schema, the role or the object is gone, so are the privileges.
func removeGrant(ctx context.Context, s *server, old values) error {
	err := s.inTransaction(ctx, old.str("database"), func(tx *sql.Tx) error {
		return asOwners(ctx, tx, old, func() error { return revokeGrant(ctx, tx, old) })
	})
	single := len(old.strings("objects")) <= 1 && len(old.strings("columns")) <= 1
	if missing(err) || single && hasCode(err, "42P01", "42883", "42703") {
		return nil
	}
	return err
}
