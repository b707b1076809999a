import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { isMovedSchema, isNotOurs } from "../moved-objects.ts";
import type { Fingerprint } from "../state/state.ts";

const moved = (namespace: string) =>
  `${namespace} IN (SELECT oid FROM pg_namespace WHERE ${isMovedSchema("nspname")})`;
const ofMoved = (relation: string) =>
  `${relation} IN (SELECT oid FROM pg_class WHERE ${moved("relnamespace")})`;

/** A catalog, the rows of it that count, and the object that a row belongs to: by default the row's own. */
interface Catalog {
  readonly name: string;
  readonly condition: string;
  readonly of?: readonly [catalog: string, oid: string];
}

/** Rows that belong to a relation, by their column with its number. */
const ofRelation = (name: string, column: string): Catalog => ({
  name,
  condition: ofMoved(`x.${column}`),
  of: ["pg_class", `x.${column}`],
});
const ofSchema = (name: string, column: string): Catalog => ({ name, condition: moved(`x.${column}`) });

/** Where definitions, owners and rights stand. Statistics are kept elsewhere, or written in place. */
const catalogs: readonly Catalog[] = [
  { name: "pg_namespace", condition: isMovedSchema("x.nspname") },
  ofSchema("pg_class", "relnamespace"),
  ofRelation("pg_attribute", "attrelid"),
  ofRelation("pg_attrdef", "adrelid"),
  ofRelation("pg_index", "indrelid"),
  ofRelation("pg_trigger", "tgrelid"),
  ofRelation("pg_rewrite", "ev_class"),
  ofRelation("pg_policy", "polrelid"),
  ofRelation("pg_inherits", "inhrelid"),
  ofRelation("pg_sequence", "seqrelid"),
  ofSchema("pg_constraint", "connamespace"),
  ofSchema("pg_proc", "pronamespace"),
  ofSchema("pg_type", "typnamespace"),
  { name: "pg_enum", condition: "true", of: ["pg_type", "x.enumtypid"] },
  ofSchema("pg_operator", "oprnamespace"),
  ofSchema("pg_collation", "collnamespace"),
  ofSchema("pg_statistic_ext", "stxnamespace"),
  ofSchema("pg_ts_dict", "dictnamespace"),
  ofSchema("pg_ts_config", "cfgnamespace"),
  { name: "pg_extension", condition: "true" },
  { name: "pg_event_trigger", condition: "true" },
  { name: "pg_publication", condition: isNotOurs("x.pubname") },
  { name: "pg_foreign_server", condition: "true" },
  { name: "pg_largeobject_metadata", condition: "true", of: ["pg_largeobject", "x.oid"] },
];

const rows = catalogs.map(
  ({ name, condition, of: [catalog, oid] = [name, "x.oid"] }) =>
    `SELECT '${catalog}'::regclass::oid AS class, ${oid} AS object, '${name} ' || x.ctid::text || ' ' || x.xmin::text AS version
     FROM ${name} x WHERE ${condition}`,
);

/**
 * Reads a fingerprint of the definitions by the versions of their catalog rows. Whatever DDL does leaves another version,
 * also where it is undone: a trigger that was disabled and enabled again has another one.
 */
export async function readFingerprint(client: pg.Client): Promise<Fingerprint> {
  const found = await rowsOf<{ name: string; version: string }>(
    client,
    `SELECT i.type || ' ' || coalesce(i.identity, object::text) AS name, md5(versions) AS version
     FROM (SELECT class, object, string_agg(version, ',' ORDER BY version) AS versions
           FROM (${rows.join(" UNION ALL ")}) r GROUP BY class, object) o
     CROSS JOIN LATERAL pg_identify_object(class, object, 0) i`,
  );
  return Object.fromEntries(found.map(({ name, version }) => [name, version]));
}

/** Names what is not as it was. */
export function changedObjects(before: Fingerprint, after: Fingerprint): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]).sort();
}

/** For how long a lock on a table is waited for, in seconds. */
const lockSeconds = 10;

/**
 * Locks every table that moves against changes of its definition until the caller's transaction ends. The mode is that of a
 * writer: it conflicts with ALTER, DROP, TRUNCATE, DISABLE TRIGGER and CREATE INDEX, and not with what reads or writes, which
 * the write-block triggers refuse at once. Fails where one of the tables is being changed for longer than ten seconds.
 */
export async function lockDefinitions(client: pg.Client): Promise<void> {
  const tables = await rowsOf<{ name: string }>(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${isMovedSchema("n.nspname")} ORDER BY c.oid`,
  );
  if (tables.length === 0) return;
  await client.query(`SET LOCAL lock_timeout = '${lockSeconds}s'`);
  await client.query(`LOCK TABLE ${tables.map(({ name }) => name).join(", ")} IN ROW EXCLUSIVE MODE`);
}
