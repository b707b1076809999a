package main

import (
	"context"
	"database/sql"
	"strings"

	"github.com/lib/pq"
	p "github.com/pulumi/pulumi-go-provider"
)

// defaultPrivilegesType is what objects that an owner makes from now on are granted with.
var defaultPrivilegesType = resourceType{
	fields: []field{
		{name: "role", required: true, replaces: true},
		{name: "database", required: true, replaces: true},
		{name: "owner", required: true, replaces: true},
		{name: "schema", replaces: true},
		{name: "objectType", required: true, replaces: true, allowed: []string{"table", "sequence", "function", "type", "schema"}},
		{name: "privileges", kind: set, required: true},
		{name: "withGrantOption", kind: boolean, fallback: false, replaces: true},
	},
	check: func(in values) []p.CheckFailure {
		failures := checkPrivileges(in)
		if in.str("objectType") == "schema" && in.str("schema") != "" {
			failures = append(failures, p.CheckFailure{Property: "schema", Reason: "expected none where objectType is schema"})
		}
		return failures
	},
	create: func(ctx context.Context, s *server, in values) error { return writeDefaultPrivileges(ctx, s, in, in) },
	read:   readDefaultPrivileges,
	update: writeDefaultPrivileges,
	remove: func(ctx context.Context, s *server, old values) error {
		err := alterDefaultPrivileges(ctx, s, old, "REVOKE ALL", "FROM "+grantee(old))
		if missing(err) {
			return nil
		}
		return err
	},
	id: func(v values) string {
		schema := v.str("schema")
		if schema == "" {
			schema = "noschema"
		}
		return strings.Join([]string{v.str("role"), v.str("database"), schema, v.str("owner"), v.str("objectType")}, "_")
	},
}

func writeDefaultPrivileges(ctx context.Context, s *server, _, in values) error {
	steps := []string{"REVOKE ALL", "FROM " + grantee(in)}
	if privileges := in.set("privileges"); len(privileges) > 0 {
		steps = append(steps, "GRANT "+strings.Join(privileges, ", "), "TO "+grantee(in)+grantOption(in))
	}
	return alterDefaultPrivileges(ctx, s, in, steps...)
}

// alterDefaultPrivileges runs steps, each a pair of what stands before and after the kind of object, in one transaction.
func alterDefaultPrivileges(ctx context.Context, s *server, in values, steps ...string) error {
	scope := "ALTER DEFAULT PRIVILEGES FOR ROLE " + pq.QuoteIdentifier(in.str("owner"))
	if schema := in.str("schema"); schema != "" {
		scope += " IN SCHEMA " + pq.QuoteIdentifier(schema)
	}
	return s.inTransaction(ctx, in.str("database"), func(tx *sql.Tx) error {
		return asMember(ctx, tx, []string{in.str("owner")}, func() error {
			for i := 0; i < len(steps); i += 2 {
				if err := exec(ctx, tx, "%s %s ON %sS %s", scope, steps[i], strings.ToUpper(in.str("objectType")), steps[i+1]); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

var defaultPrivilegesKinds = map[string]string{"table": "r", "sequence": "S", "function": "f", "type": "T", "schema": "n"}

// readDefaultPrivileges reads the owner's list; where there is none for the whole database, the built-in one counts,
// which gives PUBLIC EXECUTE on functions and USAGE on types. Wanted and nothing there: it is gone.
func readDefaultPrivileges(ctx context.Context, s *server, old values) (values, error) {
	there, err := s.grantPlaceExists(ctx, old)
	if err != nil || !there {
		return nil, err
	}
	kind := old.str("objectType")
	var found []string
	there = false // until the owner's row comes
	err = s.read(ctx, old.str("database"), func(rows *sql.Rows) error { there = true; return rows.Scan(pq.Array(&found)) },
		`SELECT ARRAY(SELECT privilege_type::text FROM aclexplode(coalesce(
			(SELECT defaclacl FROM pg_default_acl WHERE defaclrole = owner.oid AND defaclobjtype = $4::"char"
				AND defaclnamespace = coalesce(to_regnamespace(quote_ident(nullif($3, ''))), 0)),
			CASE WHEN $3 = '' THEN acldefault(replace($4, 'S', 's')::"char", owner.oid) END))
			WHERE grantee = `+granteeOID+` ORDER BY 1)
		FROM pg_roles owner WHERE rolname = $2`, old.str("role"), old.str("owner"), old.str("schema"), defaultPrivilegesKinds[kind])
	wanted := old.strings("privileges")
	switch {
	case err != nil || !there || len(found) == 0 && len(wanted) > 0:
		return nil, err
	case samePrivileges(kind, wanted, found):
		return values{}, nil
	default:
		return values{"privileges": stringList(found)}, nil
	}
}
