import pg from "pg";

/** A name as SQL writes it, quoted: `users` becomes `"users"`. */
export const identifier = pg.escapeIdentifier;

/** A text as an SQL constant: `it's` becomes `'it''s'`. */
export const literal = pg.escapeLiteral;

/** A name with the names that it is in: `qualified("public", "users")` is `"public"."users"`. */
export const qualified = (...names: string[]) => names.map(identifier).join(".");

/** The schema of pgstack's own tables. It is never part of an application's schema. */
export const ownSchema = "pgstack";

/**
 * True for a schema of users, as a condition on its name: not PostgreSQL's (`pg_catalog`, `pg_toast`, each session's
 * `pg_temp_N`, `information_schema`) and not pgstack's. PostgreSQL reserves names that begin with `pg_`:
 * https://www.postgresql.org/docs/current/sql-createschema.html
 *
 * @param name an SQL expression for the schema's name, such as `n.nspname`
 */
export function isUserSchema(name: string): string {
  return `(${name} !~ '^pg_' AND ${name} NOT IN ('information_schema', '${ownSchema}'))`;
}

/**
 * True for an object that belongs to no extension, as a condition. Members of extensions come and go with CREATE and DROP
 * EXTENSION: https://www.postgresql.org/docs/current/catalog-pg-depend.html (DEPENDENCY_EXTENSION).
 *
 * @param catalog the system catalog of the object, such as `pg_class`; an SQL expression of an oid where `catalog` is not a name
 * @param oid an SQL expression for its oid, such as `c.oid`
 */
export function isNotOfExtension(catalog: string, oid: string): string {
  const classId = /^pg_\w+$/.test(catalog) ? `'pg_catalog.${catalog}'::pg_catalog.regclass` : catalog;
  return `NOT EXISTS (SELECT FROM pg_catalog.pg_depend own_e WHERE own_e.classid = ${classId} AND own_e.objid = ${oid} AND own_e.deptype = 'e')`;
}
