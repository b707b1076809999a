import type pg from "pg";
import type { Holding, ObjectKind } from "./catalog.ts";

/** The rights that a matrix shows of each kind of object, in the order of its columns. */
export const shownRights: Record<ObjectKind, readonly string[]> = {
  schema: ["USAGE", "CREATE"],
  table: ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"],
  sequence: ["SELECT", "USAGE", "UPDATE"],
  function: ["EXECUTE"],
};

/** A role as the server has it, with what it may do to the database and, by key of the object, in it. */
export interface EffectiveRole {
  readonly name: string;
  readonly superuser: boolean;
  /** CREATEDB, CREATEROLE, REPLICATION, BYPASSRLS, where it has them. */
  readonly attributes: readonly string[];
  readonly readOnly: boolean;
  readonly connectionLimit: number;
  readonly memberOf: readonly string[];
  /** CONNECT, TEMPORARY, CREATE. */
  readonly onDatabase: readonly string[];
  /** Rights by `objectKey`: its own, PUBLIC's and those of the roles it is a member of. */
  readonly rights: ReadonlyMap<string, readonly string[]>;
  /** Columns that it may read, of tables that it may read in part, by `objectKey`. */
  readonly readableColumns: ReadonlyMap<string, readonly string[]>;
}

/** What an object is known by in the maps of an EffectiveRole. */
export function objectKey({ kind, schema, name }: Pick<Holding, "kind" | "schema" | "name">): string {
  return JSON.stringify([kind, schema, name]);
}

const rolesQuery = `
  SELECT r.oid, r.rolname AS name, r.rolsuper AS superuser, r.rolconnlimit AS "connectionLimit",
    array_remove(ARRAY[CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
      CASE WHEN rolreplication THEN 'REPLICATION' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL) AS attributes,
    coalesce('default_transaction_read_only=on' = ANY(rolconfig), false) AS "readOnly",
    ARRAY(SELECT roleid::regrole::name::text FROM pg_auth_members m WHERE m.member = r.oid ORDER BY 1) AS "memberOf",
    ARRAY(SELECT p FROM unnest(ARRAY['CONNECT', 'TEMPORARY', 'CREATE']) p
      WHERE has_database_privilege(r.oid, current_database(), p)) AS "onDatabase"
  FROM pg_roles r
  WHERE r.rolname = ANY($1) OR (r.rolcanlogin AND NOT r.rolsuper AND r.rolname !~ '^pg_'
    AND has_database_privilege(r.oid, current_database(), 'CONNECT'))
  ORDER BY r.rolname`;

const asks: Record<ObjectKind, { readonly from: string; readonly by: string }> = {
  schema: { from: "pg_namespace o WHERE o.nspname = x.schema", by: "has_schema_privilege" },
  table: {
    from: "pg_class o WHERE o.relname = x.name AND o.relnamespace = to_regnamespace(quote_ident(x.schema))",
    by: "has_table_privilege",
  },
  sequence: {
    from: "pg_class o WHERE o.relname = x.name AND o.relnamespace = to_regnamespace(quote_ident(x.schema))",
    by: "has_sequence_privilege",
  },
  function: { from: "pg_proc o WHERE o.oid = to_regprocedure(x.name)", by: "has_function_privilege" },
};

/** For each role one text with a character an object, whose code is 48 plus a bit for each right, in `shownRights`' order. */
async function readMasks(
  client: pg.Client,
  kind: ObjectKind,
  roles: readonly number[],
  objects: readonly Holding[],
): Promise<Map<number, string>> {
  const bits = shownRights[kind].map((right, bit) => `${asks[kind].by}(r, o.oid, '${right}')::int << ${bit}`);
  const { rows } = await client.query(
    `WITH o AS MATERIALIZED (
       SELECT x.at, o.oid FROM unnest($2::text[], $3::text[]) WITH ORDINALITY x(schema, name, at),
         LATERAL (SELECT o.oid FROM ${asks[kind].from}) o)
     SELECT r, string_agg(chr(48 + (${bits.map((bit) => `(${bit})`).join(" | ")})), '' ORDER BY o.at) AS masks
     FROM unnest($1::oid[]) r, o GROUP BY r`,
    [roles, objects.map(({ schema }) => schema), objects.map(({ name }) => name)],
  );
  return new Map(rows.map(({ r, masks }) => [r, masks]));
}

/** Columns that each role may read, of tables where columns have rights of their own. */
async function readColumns(
  client: pg.Client,
  roles: readonly number[],
): Promise<Map<number, Map<string, string[]>>> {
  const { rows } = await client.query(
    `SELECT r, n.nspname AS schema, c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM unnest($1::oid[]) r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.oid IN (SELECT attrelid FROM pg_attribute WHERE attacl IS NOT NULL AND attnum > 0)
       AND n.nspname !~ '^(pg_|information_schema$)'
       AND has_column_privilege(r, c.oid, a.attnum, 'SELECT')
     GROUP BY 1, 2, 3`,
    [roles],
  );
  const byRole = new Map<number, Map<string, string[]>>(roles.map((role) => [role, new Map()]));
  for (const { r, schema, name, columns } of rows)
    byRole.get(r)?.set(objectKey({ kind: "table", schema, name }), columns);
  return byRole;
}

function rightsOf(kind: ObjectKind, mask: number): string[] {
  return shownRights[kind].filter((_, bit) => mask & (1 << bit));
}

/**
 * The named roles, and every other that logs in to this database and is no superuser, with what each may do to each
 * object: what the server would answer, whichever way the right came.
 */
export async function readEffectiveRoles(
  client: pg.Client,
  named: readonly string[],
  objects: readonly Holding[],
): Promise<EffectiveRole[]> {
  const { rows } = await client.query(rolesQuery, [named]);
  const oids = rows.map(({ oid }) => oid);
  const rights = new Map<number, Map<string, string[]>>(oids.map((oid) => [oid, new Map()]));
  for (const kind of Object.keys(shownRights) as ObjectKind[]) {
    const ofKind = objects.filter((object) => object.kind === kind);
    const masks = await readMasks(client, kind, oids, ofKind);
    for (const [oid, text] of masks)
      for (const [at, object] of ofKind.entries())
        rights.get(oid)?.set(objectKey(object), rightsOf(kind, text.charCodeAt(at) - 48));
  }
  const columns = await readColumns(client, oids);
  return rows.map(({ oid, ...role }) => ({
    ...role,
    rights: rights.get(oid) ?? new Map(),
    readableColumns: columns.get(oid) ?? new Map(),
  }));
}
