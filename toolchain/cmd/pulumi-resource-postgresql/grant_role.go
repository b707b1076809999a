package main

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/lib/pq"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// grantRoleType is a role's membership in another.
var grantRoleType = resourceType{
	fields: []field{
		{name: "role", required: true, replaces: true},
		{name: "grantRole", required: true, replaces: true},
		{name: "withAdminOption", kind: boolean, fallback: false, replaces: true},
	},
	create: createGrantRole,
	read:   readGrantRole,
	update: func(ctx context.Context, s *server, _, in values) error { return createGrantRole(ctx, s, in) },
	remove: func(ctx context.Context, s *server, old values) error {
		err := s.inTransaction(ctx, "", func(tx *sql.Tx) error { return revokeRole(ctx, tx, old) })
		if missing(err) {
			return nil
		}
		return err
	},
	id: func(v values) string {
		return v.str("role") + "_" + v.str("grantRole") + "_" + strconv.FormatBool(v.boolean("withAdminOption"))
	},
}

func createGrantRole(ctx context.Context, s *server, in values) error {
	return s.inTransaction(ctx, "", func(tx *sql.Tx) error {
		if err := revokeRole(ctx, tx, in); err != nil {
			return err
		}
		option := map[bool]string{true: " WITH ADMIN OPTION"}[in.boolean("withAdminOption")]
		return exec(ctx, tx, "GRANT %s TO %s%s", pq.QuoteIdentifier(in.str("grantRole")), grantee(in), option)
	})
}

func revokeRole(ctx context.Context, tx *sql.Tx, old values) error {
	return exec(ctx, tx, "REVOKE %s FROM %s", pq.QuoteIdentifier(old.str("grantRole")), grantee(old))
}

func readGrantRole(ctx context.Context, s *server, old values) (found values, err error) {
	err = s.read(ctx, "", func(rows *sql.Rows) error {
		var admin bool
		if err := rows.Scan(&admin); err != nil {
			return err
		}
		found = values{"withAdminOption": property.New(admin)}
		return nil
	}, `SELECT bool_or(admin_option) FROM pg_auth_members WHERE pg_get_userbyid(member) = $1 AND pg_get_userbyid(roleid) = $2 GROUP BY member`,
		old.str("role"), old.str("grantRole"))
	return found, err
}
