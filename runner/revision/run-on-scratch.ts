import type pg from "pg";
import { createRoles } from "./scratch-roles.ts";
import type { ScratchServer } from "./scratch-server.ts";

const missingRole = /^role "(.*)" does not exist$/s;

/**
 * Runs SQL on a scratch database. Where it names a role that the server lacks, and the server is ours alone, the
 * role is made and the SQL runs again: roles are the stack's, so models and migrations may take them as given.
 */
export async function runOnScratch(server: ScratchServer, client: pg.Client, sql: string): Promise<void> {
  for (let before = ""; ; ) {
    try {
      await client.query(sql);
      return;
    } catch (error) {
      await client.query("ROLLBACK").catch(() => {});
      const role = (error as Error).message.match(missingRole)?.[1];
      if (role === undefined || role === before || !server.private) throw error;
      before = role;
      await createRoles(client, [role]);
    }
  }
}
