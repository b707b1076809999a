package postgresql

import (
	"fmt"
	"strings"

	"github.com/lib/pq"
)

// roleFlags are the attributes of a role that are on or off: NAME or NONAME.
var roleFlags = []struct{ field, sql string }{
	{"superuser", "SUPERUSER"},
	{"createDatabase", "CREATEDB"},
	{"createRole", "CREATEROLE"},
	{"inherit", "INHERIT"},
	{"login", "LOGIN"},
	{"replication", "REPLICATION"},
	{"bypassRowLevelSecurity", "BYPASSRLS"},
}

// roleSettings are the parameters, in whole milliseconds, that are kept with a role (ALTER ROLE … SET).
var roleSettings = []struct{ field, parameter string }{
	{"statementTimeout", "statement_timeout"},
	{"idleInTransactionSessionTimeout", "idle_in_transaction_session_timeout"},
}

var roleType = resourceType{
	fields: []field{
		{name: "name", kind: text, required: true},
		{name: "password", kind: text, secret: true},
		{name: "encryptedPassword", kind: boolean, fallback: yes, fixed: true},
		{name: "superuser", kind: boolean, fallback: no},
		{name: "createDatabase", kind: boolean, fallback: no},
		{name: "createRole", kind: boolean, fallback: no},
		{name: "inherit", kind: boolean, fallback: yes},
		{name: "login", kind: boolean, fallback: no},
		{name: "replication", kind: boolean, fallback: no},
		{name: "bypassRowLevelSecurity", kind: boolean, fallback: no},
		{name: "connectionLimit", kind: number, fallback: unlimited},
		{name: "validUntil", kind: text, fallback: forever},
		{name: "roles", kind: set},
		{name: "statementTimeout", kind: number},
		{name: "idleInTransactionSessionTimeout", kind: number},
		{name: "skipDropRole", kind: boolean, fallback: no, fixed: true},
		{name: "skipReassignOwned", kind: boolean, fallback: no, fixed: true},
	},
	write: writeRole,
	// A timeout with a unit, as people type it (`30s`), is an error here as in the official plugin.
	read: `WITH settings AS (SELECT split_part(setting, '=', 1) AS name, split_part(setting, '=', 2) AS value
			FROM pg_roles, unnest(rolconfig) setting WHERE rolname = $1::json->>'name')
		SELECT json_build_object('name', rolname, 'superuser', rolsuper, 'createDatabase', rolcreatedb, 'createRole', rolcreaterole,
			'inherit', rolinherit, 'login', rolcanlogin, 'replication', rolreplication, 'bypassRowLevelSecurity', rolbypassrls,
			'connectionLimit', rolconnlimit, 'validUntil', coalesce(rolvaliduntil::text, 'infinity'), 'encryptedPassword', true,
			'skipDropRole', false, 'skipReassignOwned', false,
			'assumeRole', coalesce((SELECT value FROM settings WHERE name = 'role'), ''),
			'searchPaths', coalesce((SELECT array_to_json(string_to_array(replace(value, '"', ''), ', ')) FROM settings WHERE name = 'search_path'), '[]'),
			'statementTimeout', coalesce((SELECT value::int FROM settings WHERE name = 'statement_timeout'), 0),
			'idleInTransactionSessionTimeout', coalesce((SELECT value::int FROM settings WHERE name = 'idle_in_transaction_session_timeout'), 0),
			'roles', ARRAY(SELECT pg_get_userbyid(roleid) FROM pg_auth_members WHERE member = r.oid ORDER BY 1))
		FROM pg_roles r WHERE rolname = $1::json->>'name'`,
	removers: "SELECT $1::json->>'name'",
	// What the role owns in the provider's database goes to the provider's user.
	remove: func(old values) []string {
		return []string{"REASSIGN OWNED BY " + old.ident("name") + " TO CURRENT_USER", "DROP OWNED BY " + old.ident("name")}
	},
	drop:   func(old values) string { return "DROP ROLE " + old.ident("name") },
	id:     func(v values) string { return v.str("name") },
	fromID: byName,
}

func writeRole(old, in values) (statements []string) {
	name := in.ident("name")
	options := roleOptions(old, in)
	switch {
	case old == nil:
		statements = append(statements, "CREATE ROLE "+name+" WITH"+options)
	case old.str("name") != in.str("name"):
		statements = append(statements, "ALTER ROLE "+old.ident("name")+" RENAME TO "+name)
	}
	if old != nil && options != "" {
		statements = append(statements, "ALTER ROLE "+name+" WITH"+options)
	}
	for _, setting := range roleSettings {
		switch is := in.integer(setting.field); {
		case is == old.integer(setting.field):
		case is == 0:
			statements = append(statements, "ALTER ROLE "+name+" RESET "+setting.parameter)
		default:
			statements = append(statements, fmt.Sprintf("ALTER ROLE %s SET %s TO %d", name, setting.parameter, is))
		}
	}
	if old != nil {
		statements = append(statements, revokeMemberships(in.str("name")))
	}
	for _, group := range in.set("roles") {
		statements = append(statements, "GRANT "+pq.QuoteIdentifier(group)+" TO "+name)
	}
	return statements
}

// revokeMemberships takes a role out of every other, as the official plugin does at each change of it.
func revokeMemberships(role string) string {
	return "DO " + pq.QuoteLiteral("DECLARE membership text; BEGIN FOR membership IN SELECT format('REVOKE %I FROM %I', pg_get_userbyid(roleid), "+
		"pg_get_userbyid(member)) FROM pg_auth_members WHERE pg_get_userbyid(member) = "+pq.QuoteLiteral(role)+" LOOP EXECUTE membership; END LOOP; END")
}

// roleOptions are those options of CREATE and ALTER ROLE that change from old; all where there is no old. Only a
// superuser may name some of them, even to leave them as they are.
func roleOptions(old, in values) string {
	var options strings.Builder
	for _, flag := range roleFlags {
		switch {
		case old != nil && old.boolean(flag.field) == in.boolean(flag.field):
		case in.boolean(flag.field):
			options.WriteString(" " + flag.sql)
		default:
			options.WriteString(" NO" + flag.sql)
		}
	}
	if old == nil || old.integer("connectionLimit") != in.integer("connectionLimit") {
		fmt.Fprintf(&options, " CONNECTION LIMIT %d", in.integer("connectionLimit"))
	}
	if until := in.str("validUntil"); old.str("validUntil") != until {
		options.WriteString(" VALID UNTIL " + pq.QuoteLiteral(until))
	}
	if password := in.str("password"); old.str("password") != password {
		options.WriteString(" PASSWORD " + pq.QuoteLiteral(password)) // '' is none
	}
	return options.String()
}
