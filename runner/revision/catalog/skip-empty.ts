import type pg from "pg";
import { oneRow } from "../../postgres/rows.ts";
import { objectCatalogs } from "./extras/objects.ts";
import { propertyConditions } from "./extras/properties.ts";
import { listedCatalog } from "./reader-patches.ts";

/**
 * What most databases lack altogether, by its catalog or a name of ours, with a query that finds something quickly where it
 * is there. The query that reads it costs ten times as much, because it must be planned. Objects that are not built in
 * have numbers from 16384 on (FirstNormalObjectId in access/transam.h).
 */
const conditions: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    objectCatalogs.map((catalog) => [catalog, `SELECT FROM ${catalog} WHERE oid >= 16384`]),
  ),
  ...propertyConditions,
  onlyIndex:
    "SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relkind = 'I' AND NOT i.indisvalid",
  pg_default_acl: "SELECT FROM pg_default_acl",
  pg_sequence: "SELECT FROM pg_sequence",
  pg_proc: "SELECT FROM pg_proc WHERE oid >= 16384",
  pg_trigger: "SELECT FROM pg_trigger WHERE oid >= 16384",
  pg_policy: "SELECT FROM pg_policy",
  pg_range: "SELECT FROM pg_range WHERE rngtypid >= 16384",
  pg_collation: "SELECT FROM pg_collation WHERE oid >= 16384",
  pg_event_trigger: "SELECT FROM pg_event_trigger",
  pg_rewrite: "SELECT FROM pg_rewrite WHERE oid >= 16384",
  pg_foreign_data_wrapper: "SELECT FROM pg_foreign_data_wrapper",
  pg_foreign_server: "SELECT FROM pg_foreign_server",
  pg_foreign_table: "SELECT FROM pg_foreign_table",
  pg_publication: "SELECT FROM pg_publication",
  pg_inherits: "SELECT FROM pg_inherits",
  pg_type: `SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.oid >= 16384 AND (t.typtype IN ('d', 'e') OR c.relkind = 'c')`,
};

/** Each query once: some names share one. */
const queries = [...new Set(Object.values(conditions))];

const presenceQuery = `SELECT ARRAY[${queries.map((query) => `EXISTS (${query})`).join(", ")}] AS found`;

/** Reads which of them a database has. */
export async function readPresence(client: pg.Client): Promise<ReadonlySet<string>> {
  const answer = await oneRow<{ found: boolean[] }>(client, presenceQuery);
  const found = new Set(queries.filter((_, index) => answer.found[index]));
  return new Set(Object.entries(conditions).flatMap(([name, query]) => (found.has(query) ? [name] : [])));
}

/** True where a query of the reader's can have no result. */
export function findsNothing(query: string, present: ReadonlySet<string>): boolean {
  const catalog = listedCatalog(query);
  return catalog !== undefined && catalog in conditions && !present.has(catalog);
}
