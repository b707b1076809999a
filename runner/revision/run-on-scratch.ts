import pg from "pg";
import type { ScratchServer } from "./scratch-server.ts";

const missingRole = /^role "(.*)" does not exist$/s;

/**
 * Runs SQL on a scratch database. Where it names a role that the server lacks, and the server is ours alone, the
 * role is made and the SQL runs again: roles are the stack's, so models and migrations may take them as given.
 */
export async function runOnScratch(server: ScratchServer, client: pg.Client, sql: string): Promise<void> {
  for (;;) {
    try {
      await client.query(sql);
      return;
    } catch (error) {
      await client.query("ROLLBACK").catch(() => {});
      const role = (error as Error).message.match(missingRole)?.[1];
      if (role === undefined || !server.private) throw error;
      await client.query(`CREATE ROLE ${pg.escapeIdentifier(role)}`);
    }
  }
}
