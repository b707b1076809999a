import type pg from "pg";
import { guardDefinitions, unguardDefinitions } from "./guards.ts";
import { readState } from "./state.ts";

/**
 * Does `work` on definitions, in a session that may do so even where a cutover has frozen the database and its clients
 * have moved: then what is left is to take it down. Rows stay refused, and so does a database that is still to be moved.
 */
export async function withMovedOpen<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  if ((await readState(client, "source"))?.movedTo === undefined) return work();
  await client.query("SET default_transaction_read_only = off");
  await unguardDefinitions(client);
  try {
    return await work();
  } finally {
    await guardDefinitions(client);
  }
}
