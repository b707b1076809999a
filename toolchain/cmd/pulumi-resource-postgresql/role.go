package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/lib/pq"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// roleFlags are the attributes of a role that are on or off: NAME or NONAME.
var roleFlags = []struct{ field, sql, column string }{
	{"superuser", "SUPERUSER", "rolsuper"},
	{"createDatabase", "CREATEDB", "rolcreatedb"},
	{"createRole", "CREATEROLE", "rolcreaterole"},
	{"inherit", "INHERIT", "rolinherit"},
	{"login", "LOGIN", "rolcanlogin"},
	{"replication", "REPLICATION", "rolreplication"},
	{"bypassRowLevelSecurity", "BYPASSRLS", "rolbypassrls"},
}

var roleType = resourceType{
	fields: []field{
		{name: "name", required: true},
		{name: "password", secret: true},
		{name: "encryptedPassword", kind: boolean, fallback: true},
		{name: "superuser", kind: boolean, fallback: false},
		{name: "createDatabase", kind: boolean, fallback: false},
		{name: "createRole", kind: boolean, fallback: false},
		{name: "inherit", kind: boolean, fallback: true},
		{name: "login", kind: boolean, fallback: false},
		{name: "replication", kind: boolean, fallback: false},
		{name: "bypassRowLevelSecurity", kind: boolean, fallback: false},
		{name: "connectionLimit", kind: number, fallback: -1},
		{name: "validUntil", fallback: "infinity"},
		{name: "roles", kind: set},
		{name: "searchPaths", kind: list},
		{name: "statementTimeout", kind: number},
		{name: "idleInTransactionSessionTimeout", kind: number},
		{name: "assumeRole"},
		{name: "skipDropRole", kind: boolean, fallback: false},
		{name: "skipReassignOwned", kind: boolean, fallback: false},
	},
	check: func(in values) (failures []p.CheckFailure) {
		if !in["encryptedPassword"].IsComputed() && !in.boolean("encryptedPassword") {
			failures = append(failures, p.CheckFailure{Property: "encryptedPassword", Reason: "PostgreSQL stores no password in clear: leave it true"})
		}
		return failures
	},
	create: createRole,
	read:   readRole,
	update: updateRole,
	remove: removeRole,
	id:     func(v values) string { return v.str("name") },
	fromID: func(id string) values { return values{"name": property.New(id)} },
}

func createRole(ctx context.Context, s *server, in values) error {
	return s.inTransaction(ctx, "", func(tx *sql.Tx) error {
		password, err := passwordClause(ctx, tx, in)
		if err != nil {
			return err
		}
		if err := exec(ctx, tx, "CREATE ROLE %s WITH %s%s", pq.QuoteIdentifier(in.str("name")), roleOptions(nil, in), password); err != nil {
			return err
		}
		return setRole(ctx, tx, nil, in)
	})
}

func updateRole(ctx context.Context, s *server, old, in values) error {
	return s.inTransaction(ctx, "", func(tx *sql.Tx) error {
		name := pq.QuoteIdentifier(in.str("name"))
		renamed := old.str("name") != in.str("name")
		if renamed {
			if err := exec(ctx, tx, "ALTER ROLE %s RENAME TO %s", pq.QuoteIdentifier(old.str("name")), name); err != nil {
				return err
			}
		}
		options := roleOptions(old, in)
		if renamed || old.str("password") != in.str("password") { // an md5 hash holds the role's name
			password, err := passwordClause(ctx, tx, in)
			if err != nil {
				return err
			}
			options += password
		}
		if options != "" {
			if err := exec(ctx, tx, "ALTER ROLE %s WITH %s", name, options); err != nil {
				return err
			}
		}
		return setRole(ctx, tx, old, in)
	})
}

// roleOptions are those options of CREATE and ALTER ROLE that change from old; all where there is no old. Only a
// superuser may name some of them, even to leave them as they are.
func roleOptions(old, in values) string {
	var options strings.Builder
	for _, flag := range roleFlags {
		switch {
		case old != nil && old.boolean(flag.field) == in.boolean(flag.field):
		case in.boolean(flag.field):
			options.WriteString(flag.sql + " ")
		default:
			options.WriteString("NO" + flag.sql + " ")
		}
	}
	if old == nil || old.integer("connectionLimit") != in.integer("connectionLimit") {
		fmt.Fprintf(&options, "CONNECTION LIMIT %d ", in.integer("connectionLimit"))
	}
	if old == nil || old.str("validUntil") != in.str("validUntil") {
		until := in.str("validUntil")
		if until == "" {
			until = "infinity"
		}
		fmt.Fprintf(&options, "VALID UNTIL %s ", pq.QuoteLiteral(until))
	}
	return options.String()
}

// setRole sets what CREATE and ALTER ROLE have no option for: settings and memberships.
func setRole(ctx context.Context, tx *sql.Tx, old, in values) error {
	name := pq.QuoteIdentifier(in.str("name"))
	for _, setting := range roleSettings {
		was, is := setting.sql(old), setting.sql(in)
		switch {
		case was == is:
		case is == "":
			if err := exec(ctx, tx, "ALTER ROLE %s RESET %s", name, setting.parameter); err != nil {
				return err
			}
		default:
			if err := exec(ctx, tx, "ALTER ROLE %s SET %s TO %s", name, setting.parameter, is); err != nil {
				return err
			}
		}
	}
	for _, group := range without(old.set("roles"), in.set("roles")) {
		if err := exec(ctx, tx, "REVOKE %s FROM %s", pq.QuoteIdentifier(group), name); err != nil {
			return err
		}
	}
	for _, group := range without(in.set("roles"), old.set("roles")) {
		if err := exec(ctx, tx, "GRANT %s TO %s", pq.QuoteIdentifier(group), name); err != nil {
			return err
		}
	}
	return nil
}

// removeRole hands what the role owns in the provider's database to the provider's user, and drops the role.
func removeRole(ctx context.Context, s *server, old values) error {
	name := old.str("name")
	return s.inTransaction(ctx, "", func(tx *sql.Tx) error {
		var there bool
		err := tx.QueryRowContext(ctx, "SELECT true FROM pg_roles WHERE rolname = $1", name).Scan(&there)
		if err == sql.ErrNoRows {
			return nil
		} else if err != nil {
			return err
		}
		if !old.boolean("skipReassignOwned") {
			err = asMember(ctx, tx, []string{name}, func() error {
				if err := exec(ctx, tx, "REASSIGN OWNED BY %s TO CURRENT_USER", pq.QuoteIdentifier(name)); err != nil {
					return err
				}
				return exec(ctx, tx, "DROP OWNED BY %s", pq.QuoteIdentifier(name))
			})
		}
		if err != nil || old.boolean("skipDropRole") {
			return err
		}
		return exec(ctx, tx, "DROP ROLE %s", pq.QuoteIdentifier(name))
	})
}
