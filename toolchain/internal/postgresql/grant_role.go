package postgresql

import "strconv"

// grantRoleType is a role's membership in another.
var grantRoleType = resourceType{
	fields: []field{
		{name: "role", kind: text, required: true, replaces: true},
		{name: "grantRole", kind: text, required: true, replaces: true},
		{name: "withAdminOption", kind: boolean, fallback: no, replaces: true},
	},
	write: func(_, in values) []string {
		grant := "GRANT " + in.ident("grantRole") + " TO " + in.ident("role")
		if in.boolean("withAdminOption") {
			grant += " WITH ADMIN OPTION"
		}
		return []string{revokeRole(in), grant}
	},
	remove: func(old values) []string { return []string{revokeRole(old)} },
	read: `SELECT json_build_object('withAdminOption', bool_or(admin_option)) FROM pg_auth_members
		WHERE pg_get_userbyid(member) = $1::json->>'role' AND pg_get_userbyid(roleid) = $1::json->>'grantRole' GROUP BY member`,
	id: func(v values) string {
		return v.str("role") + "_" + v.str("grantRole") + "_" + strconv.FormatBool(v.boolean("withAdminOption"))
	},
}

func revokeRole(old values) string {
	return "REVOKE " + old.ident("grantRole") + " FROM " + old.ident("role")
}
