package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lib/pq"
)

type session interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// asMember runs fn as a member of the given roles, which a user who is no superuser has to be to change what is theirs.
// The memberships end with it.
func asMember(ctx context.Context, on session, roles []string, fn func() error) error {
	for _, role := range roles {
		var needed bool
		err := on.QueryRowContext(ctx, `SELECT NOT pg_has_role(current_user, oid, 'USAGE') FROM pg_roles WHERE rolname = $1`, role).Scan(&needed)
		if err != nil && err != sql.ErrNoRows {
			return err
		}
		if !needed {
			continue
		}
		if err := exec(ctx, on, "GRANT %s TO CURRENT_USER", pq.QuoteIdentifier(role)); err != nil {
			return fmt.Errorf("could not become a member of role %s, to whom this belongs: %w", role, err)
		}
		defer exec(context.WithoutCancel(ctx), on, "REVOKE %s FROM CURRENT_USER", pq.QuoteIdentifier(role))
	}
	return fn()
}
