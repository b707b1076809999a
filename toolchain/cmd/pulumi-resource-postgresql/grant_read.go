package main

import (
	"context"
	"database/sql"
	"slices"

	"github.com/lib/pq"
)

// grantQueries give, for each kind of object, the (name, access list) rows of a grant on $2 (database or schema), of the
// objects $3 or, where none is named, of all. An absent list means the built-in one. Of a whole schema's relations only
// plain tables count, as in the official plugin.
var grantQueries = map[string]string{
	"database": `SELECT datname AS name, coalesce(datacl, acldefault('d', datdba)) AS acl FROM pg_database WHERE datname = $2 AND $3::text[] IS NOT NULL`,
	"schema":   `SELECT nspname AS name, coalesce(nspacl, acldefault('n', nspowner)) AS acl FROM pg_namespace WHERE nspname = $2 AND $3::text[] IS NOT NULL`,
	"table": `SELECT relname AS name, coalesce(relacl, acldefault('r', relowner)) AS acl FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($2))
		AND CASE WHEN $3::text[] = '{}' THEN relkind = 'r' ELSE relname = ANY ($3) AND relkind IN ('r', 'p', 'v', 'm', 'f') END`,
	"sequence": `SELECT relname AS name, coalesce(relacl, acldefault('s', relowner)) AS acl FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($2))
		AND relkind = 'S' AND ($3::text[] = '{}' OR relname = ANY ($3))`,
	"function": `SELECT proname AS name, coalesce(proacl, acldefault('f', proowner)) AS acl FROM pg_proc WHERE pronamespace = to_regnamespace(quote_ident($2))
		AND prokind <> 'p' AND ($3::text[] = '{}' OR proname = ANY ($3))`,
	"column": `SELECT attname AS name, attacl AS acl FROM pg_attribute WHERE NOT attisdropped
		AND attrelid = (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($2)) AND relname = ANY ($3::text[]))`,
}

// readGrant gives the privileges of the first object that has others than state says, so that the difference shows.
func readGrant(ctx context.Context, s *server, old values) (values, error) {
	there, err := s.grantPlaceExists(ctx, old)
	if err != nil || !there {
		return nil, err
	}
	kind, place, objects := old.str("objectType"), old.str("schema"), []string{}
	if kind == "database" {
		place = old.str("database")
	}
	for _, object := range old.set("objects") {
		name, _ := splitSignature(object)
		objects = append(objects, name)
	}
	granted := map[string][]string{}
	names := []string{}
	err = s.read(ctx, old.str("database"), func(rows *sql.Rows) error {
		var name string
		var privileges []string
		if err := rows.Scan(&name, pq.Array(&privileges)); err != nil {
			return err
		}
		granted[name], names = privileges, append(names, name)
		if !samePrivileges(kind, old.strings("privileges"), privileges) {
			names = append([]string{name}, names...) // it comes first
		}
		return nil
	}, `SELECT name, ARRAY(SELECT privilege_type::text FROM aclexplode(acl) WHERE grantee = `+granteeOID+` ORDER BY 1)
		FROM (`+grantQueries[kind]+`) objects ORDER BY 1`, old.str("role"), place, pq.Array(objects))
	if kind == "column" {
		return grantedColumns(old, granted), err
	}
	if err == nil && len(names) > 0 && !samePrivileges(kind, old.strings("privileges"), granted[names[0]]) {
		return values{"privileges": stringList(granted[names[0]])}, nil
	}
	return values{}, err
}

// grantedColumns are those of the wanted columns that have the privilege.
func grantedColumns(old values, granted map[string][]string) values {
	columns := []string{}
	for _, column := range old.set("columns") {
		privileges := old.strings("privileges")
		if privileges[0] == "ALL" && samePrivileges("column", privileges, granted[column]) || slices.Contains(granted[column], privileges[0]) {
			columns = append(columns, column)
		}
	}
	return values{"columns": stringList(columns)}
}

// grantPlaceExists tells whether the role, the database and the schema are there.
func (s *server) grantPlaceExists(ctx context.Context, old values) (bool, error) {
	there, err := s.exists(ctx, "", "SELECT 1 FROM pg_database WHERE datname = $1 AND ($2 = 'public' OR EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $2))",
		old.str("database"), old.str("role"))
	if err != nil || !there || old.str("schema") == "" {
		return there, err
	}
	return s.exists(ctx, old.str("database"), "SELECT 1 FROM pg_namespace WHERE nspname = $1", old.str("schema"))
}
