import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { userSchemas } from "./objects.ts";

/** A table whose row security policies decide which rows a role sees, although it may read the table. */
export interface FilteredTable {
  readonly role: string;
  /** With its schema, as people write it. */
  readonly table: string;
  /** Permissive policies that let the role read rows; with none, it sees no row. */
  readonly policies: readonly string[];
}

/** https://www.postgresql.org/docs/current/ddl-rowsecurity.html: superusers, BYPASSRLS and, unless forced, the owner see all. */
const filteredQuery = `
  SELECT r.rolname AS role, format('%s.%s', n.nspname, c.relname) AS table,
    ARRAY(SELECT polname::text FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r') AND p.polpermissive
      AND EXISTS (SELECT FROM unnest(p.polroles) g WHERE CASE g WHEN 0 THEN true ELSE pg_has_role(r.oid, g, 'USAGE') END)
      ORDER BY 1) AS policies
  FROM pg_roles r, pg_class c JOIN (${userSchemas}) n ON n.oid = c.relnamespace
  WHERE r.rolname = ANY($1) AND c.relrowsecurity AND c.relkind IN ('r', 'p') AND NOT r.rolsuper AND NOT r.rolbypassrls
    AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))
    AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_any_column_privilege(r.oid, c.oid, 'SELECT')
  ORDER BY 1, 2`;

/** Which of the roles see only part of a table that they may read. */
export function readFilteredTables(client: pg.Client, roles: readonly string[]): Promise<FilteredTable[]> {
  return rowsOf<FilteredTable>(client, filteredQuery, [roles]);
}

/** What a role really sees of a table, as a sentence. */
export function describeFiltered({ role, table, policies }: FilteredTable): string {
  return policies.length === 0
    ? `"${role}" sees no row of ${table}: row security is on and no policy applies to the role`
    : `"${role}" sees those rows of ${table} that row security lets it see (${policies.join(", ")})`;
}
