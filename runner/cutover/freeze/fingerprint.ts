import type pg from "pg";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { isMovedSchema } from "../moved-objects.ts";

const moved = (namespace: string) =>
  `${namespace} IN (SELECT oid FROM pg_namespace WHERE ${isMovedSchema("nspname")})`;
const ofMoved = (relation: string) =>
  `${relation} IN (SELECT oid FROM pg_class WHERE ${moved("relnamespace")})`;

/** The catalogs of what moves, and the rows of each that count. Statistics are kept elsewhere, or written in place. */
const catalogs: readonly [catalog: string, condition: string][] = [
  ["pg_namespace", isMovedSchema("x.nspname")],
  ["pg_class", moved("x.relnamespace")],
  ["pg_attribute", ofMoved("x.attrelid")],
  ["pg_attrdef", ofMoved("x.adrelid")],
  ["pg_index", ofMoved("x.indrelid")],
  ["pg_constraint", moved("x.connamespace")],
  ["pg_trigger", ofMoved("x.tgrelid")],
  ["pg_rewrite", ofMoved("x.ev_class")],
  ["pg_policy", ofMoved("x.polrelid")],
  ["pg_inherits", ofMoved("x.inhrelid")],
  ["pg_proc", moved("x.pronamespace")],
  ["pg_type", moved("x.typnamespace")],
  ["pg_enum", "true"],
  ["pg_sequence", ofMoved("x.seqrelid")],
  ["pg_largeobject_metadata", "true"],
];

const rows = catalogs.map(
  ([catalog, condition]) =>
    `SELECT '${catalog}' AS catalog, x.ctid::text AS place, x.xmin::text AS version FROM ${catalog} x WHERE ${condition}`,
);

/**
 * A fingerprint of the definitions by the versions of their catalog rows. Whatever DDL does leaves another version, also
 * where it is undone: a trigger that was disabled and enabled again has another one.
 */
export async function readFingerprint(client: pg.Client): Promise<string> {
  const { fingerprint } = await oneRow<{ fingerprint: string }>(
    client,
    `SELECT md5(string_agg(catalog || ' ' || place || ' ' || version, ',' ORDER BY catalog, place)) AS fingerprint
     FROM (${rows.join(" UNION ALL ")}) r`,
  );
  return fingerprint;
}

/**
 * Locks every table that moves against writes and DDL until the caller's transaction ends; readers continue. Waits for
 * transactions that have written, and fails where one of them takes longer than ten seconds.
 */
export async function lockAgainstChanges(client: pg.Client): Promise<void> {
  const tables = await rowsOf<{ name: string }>(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${isMovedSchema("n.nspname")} ORDER BY c.oid`,
  );
  if (tables.length === 0) return;
  await client.query("SET LOCAL lock_timeout = '10s'");
  await client.query(`LOCK TABLE ${tables.map(({ name }) => name).join(", ")} IN SHARE MODE`);
}
