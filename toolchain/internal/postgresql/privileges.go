package postgresql

import (
	"fmt"
	"slices"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// allPrivileges are what ALL stands for, by kind of object. MAINTAIN (from 17 on) is apart: ALL holds it there only.
var allPrivileges = map[string][]string{
	"database": {"CREATE", "CONNECT", "TEMPORARY"},
	"schema":   {"CREATE", "USAGE"},
	"table":    {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"},
	"sequence": {"USAGE", "SELECT", "UPDATE"},
	"function": {"EXECUTE"},
	"type":     {"USAGE"},
}

const maintain = "MAINTAIN"

// checkPrivileges refuses what the kind of object does not have; that also keeps anything but names out of the SQL.
func checkPrivileges(in values) (failures []p.CheckFailure) {
	if in["privileges"].HasComputed() || in["objectType"].IsComputed() {
		return nil
	}
	kind := in.str("objectType")
	allowed := append([]string{"ALL"}, allPrivileges[kind]...)
	if kind == "table" {
		allowed = append(allowed, maintain)
	}
	for _, privilege := range in.set("privileges") {
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

// samePrivileges compares what is wanted, ALL included, with what the catalog lists.
func samePrivileges(kind string, wanted, found []string) bool {
	if slices.Contains(wanted, "ALL") {
		wanted, found = allPrivileges[kind], slices.DeleteFunc(found, func(one string) bool { return one == maintain })
	}
	return slices.Equal(slices.Sorted(slices.Values(wanted)), slices.Sorted(slices.Values(found)))
}

// settlePrivileges takes the privileges on the first object that has others than state says, so that the difference
// shows. The queries give a list for each object.
func settlePrivileges(old, found values) values {
	for _, object := range found["granted"].AsArray().AsSlice() {
		granted := values{"privileges": object}
		if !samePrivileges(old.str("objectType"), old.set("privileges"), granted.set("privileges")) {
			return granted
		}
	}
	return values{}
}

// granted is the expression for the privileges that an access list gives to the role.
const granted = `ARRAY(SELECT privilege_type FROM aclexplode(acl)
	WHERE grantee = CASE WHEN $1::json->>'role' = 'public' THEN 0 ELSE to_regrole(quote_ident($1::json->>'role')) END ORDER BY 1)`

// roleExists is the condition without which there is no grant any more.
const roleExists = `($1::json->>'role' = 'public' OR to_regrole(quote_ident($1::json->>'role')) IS NOT NULL)`

// grantOf is what stands after the objects of a GRANT.
func grantOf(in values) string {
	if in.boolean("withGrantOption") {
		return " TO " + in.ident("role") + " WITH GRANT OPTION"
	}
	return " TO " + in.ident("role")
}

func listOf(in values, name string) string { return strings.Join(in.set(name), ", ") }

// privilegesField is a required list; everything else of a grant makes another one.
var privilegesField = field{name: "privileges", kind: set, required: true}

func grantFields(required ...string) []field {
	fields := []field{privilegesField, {name: "withGrantOption", kind: boolean, fallback: property.New(false), replaces: true}}
	for _, name := range required {
		fields = append(fields, field{name: name, kind: text, required: true, replaces: true})
	}
	return fields
}
