import { randomUUID } from "node:crypto";
import type pg from "pg";
import { RefusedError } from "../user-error.ts";

/** The number of the server's process that answers. */
async function backendOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_catalog.pg_backend_pid() AS pid");
  return rows[0]?.pid ?? 0;
}

/** Whether a mark that one session sets is gone from it once another has taken its turn. */
async function losesSession(client: pg.Client, second: pg.Client): Promise<boolean> {
  const mark = randomUUID();
  const before = await backendOf(client);
  await client.query(`SELECT pg_catalog.set_config('pgstack.session', '${mark}', false)`);
  await second.query("BEGIN");
  try {
    await backendOf(second); // takes, for its transaction, the server session that the first has just left
    const { rows } = await client.query<{ mark: string | null }>(
      "SELECT pg_catalog.current_setting('pgstack.session', true) AS mark",
    );
    return rows[0]?.mark !== mark || (await backendOf(client)) !== before;
  } finally {
    await second.query("ROLLBACK").catch(() => {});
  }
}

/**
 * Refuses a pooler that gives each transaction another session of the server: locks and settings of a session would be
 * lost, or reach others. A pooler shows by the process number that it makes up; one that keeps sessions apart is
 * let pass.
 * @param pid the server's process that answered the client
 */
export async function refuseTransactionPooler(
  client: pg.Client,
  pid: number,
  openSecond: () => Promise<pg.Client>,
): Promise<void> {
  const announced = (client as unknown as { processID: number | null }).processID;
  if (announced === pid) return;
  const second = await openSecond();
  try {
    if (await losesSession(client, second))
      throw new RefusedError(
        "Between here and the server stands a pooler that gives each transaction another session, and migrations need one session: " +
          "connect to the server itself, or to a pool in session mode.",
      );
  } finally {
    await second.end().catch(() => {});
  }
}
