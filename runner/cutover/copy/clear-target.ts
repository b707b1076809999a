import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { identifier, isMadeByItself, isNotOfExtension, literal } from "../../postgres/sql.ts";
import { writeBlockName } from "../freeze/write-block.ts";
import { isMovedSchema, isNotOurs } from "../moved-objects.ts";

/** Objects of a target that no extension, no catalog and no state of ours owns, without what lies inside another one. */
const contents = `
  SELECT i.type, i.identity
  FROM pg_depend d
  JOIN pg_namespace n ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
  CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) i
  WHERE d.deptype = 'n' AND ${isMovedSchema("n.nspname")}
    AND i.type NOT IN ('extension', 'default acl', 'publication namespace')
    AND ${isMadeByItself("d.classid", "d.objid")}
  UNION ALL
  SELECT i.type, i.identity
  FROM (SELECT 'pg_publication'::regclass AS classid, oid FROM pg_publication WHERE ${isNotOurs("pubname")}
        UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger WHERE evtname <> '${writeBlockName}'
        UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
        UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
        UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast WHERE oid >= 16384) o
  CROSS JOIN LATERAL pg_identify_object(o.classid, o.oid, 0) i
  WHERE ${isMadeByItself("o.classid", "o.oid")}`;

/** What a database holds that would be lost if it were emptied, as `type name`. */
export async function listContents(client: pg.Client): Promise<string[]> {
  const rows = await rowsOf<{ object: string }>(
    client,
    `SELECT type || ' ' || identity AS object FROM (${contents}) c ORDER BY 1`,
  );
  return rows.map(({ object }) => object);
}

const dropAll = `
DO $wipe$
DECLARE item record;
BEGIN
  FOR item IN SELECT * FROM (${contents}) c
           ORDER BY type = 'event trigger' DESC, type IN ('function', 'type', 'operator', 'aggregate', 'procedure') LOOP
    EXECUTE format('DROP %s IF EXISTS %s CASCADE',
      CASE item.type WHEN 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER' WHEN 'statistics object' THEN 'STATISTICS' ELSE item.type END,
      item.identity);
  END LOOP;
END $wipe$`;

/**
 * Empties the database of what a copy brings, in one transaction with `record`. Schemas of `keep` stay, and
 * with them the access and default privileges that the stack declared on them.
 */
export async function wipe(
  client: pg.Client,
  keep: readonly string[],
  record: () => Promise<void>,
): Promise<void> {
  await withTransaction(client, async () => {
    await record();
    await client.query(dropAll);
    const kept = ["public", ...keep].map(literal).join(", ");
    const rows = await rowsOf<{ nspname: string }>(
      client,
      `SELECT nspname FROM pg_namespace n WHERE nspname NOT IN (${kept}) AND ${isMovedSchema("nspname")}
       AND NOT EXISTS (SELECT FROM pg_extension WHERE extnamespace = n.oid)
       AND ${isNotOfExtension("pg_namespace", "n.oid")}`,
    );
    for (const { nspname } of rows) await client.query(`DROP SCHEMA ${identifier(nspname)} CASCADE`);
    await client.query("SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata");
  });
}

/** Schemas of the database, so that a dump's own need not be made. */
export async function listSchemas(client: pg.Client): Promise<string[]> {
  const rows = await rowsOf<{ nspname: string }>(client, "SELECT nspname FROM pg_namespace");
  return rows.map(({ nspname }) => nspname);
}
