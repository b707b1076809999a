import type pg from "pg";
import { inOneMessage } from "./batch-query.ts";
import { narrowedDependencies } from "./reader-patches.ts";

/**
 * Asks for dependencies by hash joins in the order in which they are written: PostgreSQL's planner takes a large catalog
 * that was never analysed for a small one, and nested loops grow with the square of the number of tables.
 */
export async function askForDependencies(client: pg.Client, text: string): Promise<pg.QueryResult> {
  const before = [
    "SET LOCAL enable_nestloop = off",
    "SET LOCAL enable_hashjoin = on",
    "SET LOCAL join_collapse_limit = 1",
  ];
  const after = ["SET LOCAL enable_nestloop = on", "SET LOCAL join_collapse_limit = 8"];
  const answers = await inOneMessage(client, [...before, narrowedDependencies(text), ...after]);
  return answers[before.length] as pg.QueryResult;
}
