import type pg from "pg";
import { inOneMessage } from "./batch-query.ts";

/** Tells the reader's one query for dependencies. */
export function isForDependencies(text: string): boolean {
  return /^\s*WITH dep AS/.test(text);
}

/**
 * The reader resolves the dependencies of all built-in objects too and then throws them away. Objects made after
 * initdb have numbers from 16384 on (FirstNormalObjectId in access/transam.h): to look at them alone takes a fifth
 * of the time.
 */
const narrowings: readonly [string, string][] = [
  ["WHERE d.deptype IN", "WHERE d.objid >= 16384 AND d.deptype IN"],
  ["WHERE rc.relkind IN ('r','p','f','v'", "WHERE rc.oid >= 16384 AND rc.relkind IN ('r','p','f','v'"],
  ["WHERE att.attnum > 0", "WHERE att.attrelid >= 16384 AND att.attnum > 0"],
  ["WHERE pp.prokind IN", "WHERE pp.oid >= 16384 AND pp.prokind IN"],
  ["WHERE base.typtype IN", "WHERE tt.oid >= 16384 AND base.typtype IN"],
  ["WHERE cc.relkind = 'c'", "WHERE cc.oid >= 16384 AND cc.relkind = 'c'"],
  ["ON cln.oid = cl.collnamespace", "ON cln.oid = cl.collnamespace AND cl.oid >= 16384"],
  ["ON vn.oid = vc.relnamespace", "ON vn.oid = vc.relnamespace AND r.oid >= 16384"],
];

/** Each part of the query is planned by itself: to plan a join of all of them takes longer than to run it. */
function planned(text: string): string {
  const narrowed = narrowings.reduce((query, [from, to]) => query.replace(from, to), text);
  return narrowed.replace(/^(\s*(?:WITH )?\w+ AS) \(/gm, "$1 MATERIALIZED (");
}

/**
 * Asks for dependencies by hash joins in the order in which they are written: the planner of a catalog that was never
 * analysed takes a large one for small, and nested loops grow with the square of the number of tables.
 */
export async function askForDependencies(client: pg.Client, text: string): Promise<pg.QueryResult> {
  const before = [
    "SET LOCAL enable_nestloop = off",
    "SET LOCAL enable_hashjoin = on",
    "SET LOCAL join_collapse_limit = 1",
  ];
  const after = ["SET LOCAL enable_nestloop = on", "SET LOCAL join_collapse_limit = 8"];
  const answers = await inOneMessage(client, [...before, planned(text), ...after]);
  return answers[before.length] as pg.QueryResult;
}
