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
 * True for a schema that PostgreSQL does not keep for itself (`pg_catalog`, `pg_toast`, each session's `pg_temp_N`,
 * `information_schema`), as a condition on its name. PostgreSQL reserves names that begin with `pg_`:
 * https://www.postgresql.org/docs/current/sql-createschema.html
 *
 * @param name an SQL expression for the schema's name, such as `n.nspname`
 */
export function isNotSystemSchema(name: string): string {
  return `(${name} !~ '^pg_' AND ${name} <> 'information_schema')`;
}

/** True for a schema of users, as a condition on its name: neither PostgreSQL's (`isNotSystemSchema`) nor pgstack's. */
export function isUserSchema(name: string): string {
  return `(${isNotSystemSchema(name)} AND ${name} <> '${ownSchema}')`;
}

/**
 * True for a role that somebody has made, as a condition on its name. Predefined roles begin with `pg_`, which CREATE ROLE
 * refuses: https://www.postgresql.org/docs/current/predefined-roles.html
 */
export function isNotPredefinedRole(name: string): string {
  return `${name} !~ '^pg_'`;
}

/** `objsubid` is 0 for the object itself: the columns of a partition key depend on their own table by an `i`. */
function dependsBy(types: string, catalog: string, oid: string): string {
  const classId = /^pg_\w+$/.test(catalog) ? `'pg_catalog.${catalog}'::pg_catalog.regclass` : catalog;
  return `EXISTS (SELECT FROM pg_catalog.pg_depend own_e
    WHERE own_e.classid = ${classId} AND own_e.objid = ${oid} AND own_e.objsubid = 0 AND own_e.deptype IN (${types}))`;
}

/**
 * True for a member of an extension, as a condition. Members come and go with CREATE and DROP EXTENSION:
 * https://www.postgresql.org/docs/current/catalog-pg-depend.html (DEPENDENCY_EXTENSION).
 *
 * @param catalog the system catalog of the object, such as `pg_class`; an SQL expression of an oid where `catalog` is not a name
 * @param oid an SQL expression for its oid, such as `c.oid`
 */
export const isOfExtension = (catalog: string, oid: string) => dependsBy("'e'", catalog, oid);

/** True for an object that belongs to no extension, as a condition; parameters as of `isOfExtension`. */
export const isNotOfExtension = (catalog: string, oid: string) => `NOT ${isOfExtension(catalog, oid)}`;

/**
 * True for an object that a statement of its own has made, as a condition: neither a member of an extension nor a part of
 * another object (DEPENDENCY_INTERNAL), such as the rule of a view. Parameters as of `isOfExtension`.
 */
export const isMadeByItself = (catalog: string, oid: string) => `NOT ${dependsBy("'e', 'i'", catalog, oid)}`;
