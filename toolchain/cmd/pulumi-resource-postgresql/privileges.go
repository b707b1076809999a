package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"
	p "github.com/pulumi/pulumi-go-provider"
)

// allPrivileges are what ALL stands for, by kind of object. MAINTAIN (from 17 on) is apart: ALL holds it there only.
var allPrivileges = map[string][]string{
	"database": {"CREATE", "CONNECT", "TEMPORARY"},
	"schema":   {"CREATE", "USAGE"},
	"table":    {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"},
	"sequence": {"USAGE", "SELECT", "UPDATE"},
	"function": {"EXECUTE"},
	"type":     {"USAGE"},
	"column":   {"SELECT", "INSERT", "UPDATE", "REFERENCES"},
}

const maintain = "MAINTAIN"

// checkPrivileges refuses what the kind of object does not have; that also keeps anything but names out of the SQL.
func checkPrivileges(in values) (failures []p.CheckFailure) {
	if in["privileges"].HasComputed() || in["objectType"].IsComputed() {
		return nil
	}
	kind := in.str("objectType")
	allowed := append([]string{"ALL"}, allPrivileges[kind]...)
	switch kind {
	case "table":
		allowed = append(allowed, maintain)
	case "database":
		allowed = append(allowed, "TEMP")
	}
	for _, privilege := range in.strings("privileges") {
		if !slices.Contains(allowed, privilege) {
			failures = append(failures, p.CheckFailure{Property: "privileges",
				Reason: fmt.Sprintf("expected some of %s for a %s, found %q", strings.Join(allowed, ", "), kind, privilege)})
		}
	}
	if in.boolean("withGrantOption") && in.str("role") == "public" {
		failures = append(failures, p.CheckFailure{Property: "withGrantOption", Reason: "PUBLIC cannot hold a grant option: leave it false"})
	}
	return failures
}

// samePrivileges compares what is wanted, ALL and TEMP included, with what the catalog lists.
func samePrivileges(kind string, wanted, found []string) bool {
	want := []string{}
	for _, privilege := range wanted {
		switch privilege {
		case "ALL":
			want = append(want, allPrivileges[kind]...)
			found = without(found, []string{maintain})
		case "TEMP":
			want = append(want, "TEMPORARY")
		default:
			want = append(want, privilege)
		}
	}
	slices.Sort(want)
	return slices.Equal(slices.Compact(want), slices.Compact(slices.Sorted(slices.Values(found))))
}

// grantee quotes a role; PostgreSQL takes "public" for PUBLIC in quotes too.
func grantee(in values) string { return pq.QuoteIdentifier(in.str("role")) }

func grantOption(in values) string {
	if in.boolean("withGrantOption") {
		return " WITH GRANT OPTION"
	}
	return ""
}

// granteeOID is the expression for the oid by which access lists name a role: 0 is PUBLIC.
const granteeOID = "(SELECT CASE WHEN $1 = 'public' THEN 0::oid ELSE (SELECT oid FROM pg_roles WHERE rolname = $1) END)"
