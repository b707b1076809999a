package main

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/lib/pq"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// roleSettings are the parameters kept with a role (ALTER ROLE … SET), by field.
var roleSettings = []struct {
	field, parameter string
	sql              func(values) string // as SET wants it; "" for none
	read             func(stored string) property.Value
}{
	{"searchPaths", "search_path", searchPath, readSearchPath},
	{"statementTimeout", "statement_timeout", milliseconds("statementTimeout"), readMilliseconds},
	{"idleInTransactionSessionTimeout", "idle_in_transaction_session_timeout", milliseconds("idleInTransactionSessionTimeout"), readMilliseconds},
	{"assumeRole", "role", assumedRole, func(stored string) property.Value { return property.New(stored) }},
}

func searchPath(v values) string {
	quoted := []string{}
	for _, schema := range v.strings("searchPaths") {
		quoted = append(quoted, pq.QuoteIdentifier(schema))
	}
	return strings.Join(quoted, ", ")
}

func readSearchPath(stored string) property.Value {
	schemas := []string{}
	for schema := range strings.SplitSeq(stored, ", ") {
		if inner, quoted := strings.CutPrefix(schema, `"`); quoted {
			schema = strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
		}
		schemas = append(schemas, schema)
	}
	return stringList(schemas)
}

func milliseconds(field string) func(values) string {
	return func(v values) string {
		if v.integer(field) == 0 {
			return ""
		}
		return strconv.Itoa(v.integer(field))
	}
}

// readMilliseconds gives -1, which no program asks for, where someone has set a value with a unit by hand.
func readMilliseconds(stored string) property.Value {
	value, err := strconv.Atoi(strings.TrimSuffix(stored, "ms"))
	if err != nil {
		value = -1
	}
	return property.New(float64(value))
}

func assumedRole(v values) string {
	if v.str("assumeRole") == "" {
		return ""
	}
	return pq.QuoteLiteral(v.str("assumeRole"))
}

func readRole(ctx context.Context, s *server, old values) (values, error) {
	var found values
	var settings []string
	columns := "rolname, rolconnlimit, coalesce(rolvaliduntil::text, 'infinity'), rolconfig, " +
		"ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1), " +
		// how the program spells the same instant, `2030-01-01` say, is kept
		"rolvaliduntil IS NOT DISTINCT FROM nullif(nullif($2, ''), 'infinity')::timestamptz OR rolvaliduntil = 'infinity' AND $2 IN ('', 'infinity')"
	for _, flag := range roleFlags {
		columns += ", " + flag.column
	}
	err := s.read(ctx, "", func(rows *sql.Rows) error {
		var name, until string
		var limit int
		var groups []string
		var sameUntil bool
		flags := make([]bool, len(roleFlags))
		targets := []any{&name, &limit, &until, pq.Array(&settings), pq.Array(&groups), &sameUntil}
		for i := range flags {
			targets = append(targets, &flags[i])
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		found = values{"name": property.New(name), "connectionLimit": property.New(float64(limit))}
		if !sameUntil || old.str("validUntil") == "" {
			found["validUntil"] = property.New(until)
		}
		for i, flag := range roleFlags {
			found[flag.field] = property.New(flags[i])
		}
		// A GrantRole gives memberships that this role's own list does not name; they are no difference.
		if _, listed := old["roles"]; listed {
			found["roles"] = stringList(groups)
		}
		return nil
	}, "SELECT "+columns+" FROM pg_roles r WHERE rolname = $1", old.str("name"), old.str("validUntil"))
	if err != nil || found == nil {
		return nil, err
	}
	readSettings(old, found, settings)
	return found, readPassword(ctx, s, old, found)
}

func readSettings(old, found values, stored []string) {
	for _, setting := range roleSettings {
		at := slices.IndexFunc(stored, func(entry string) bool { return strings.HasPrefix(entry, setting.parameter+"=") })
		if at >= 0 {
			found[setting.field] = setting.read(strings.TrimPrefix(stored[at], setting.parameter+"="))
		} else if _, was := old[setting.field]; was {
			found[setting.field] = map[bool]property.Value{true: stringList(nil), false: property.New("")}[setting.field == "searchPaths"]
		}
	}
}

func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(element string) bool { return slices.Contains(other, element) })
}
