import type pg from "pg";
import { rowsOf } from "../postgres/rows.ts";
import { identifier } from "../postgres/sql.ts";
import type { ScratchServer } from "./server.ts";

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

/** duplicate_object, and unique_violation where two make it at the same moment. */
const alreadyThere = new Set(["42710", "23505"]);

/**
 * Makes the roles that a scratch server of ours lacks. Both sides of a revision may do so at once. They are superusers: a
 * materialized view is filled with the rights of the owners of the views below it, and grants on schemas are the stack's.
 */
export async function createRoles(client: pg.Client, roles: readonly string[]): Promise<void> {
  for (;;) {
    const rows = await rowsOf<{ rolname: string }>(client, "SELECT rolname FROM pg_roles");
    const present = new Set(rows.map(({ rolname }) => rolname));
    const missing = roles.filter((role) => !present.has(role));
    if (missing.length === 0) return;
    try {
      await client.query(missing.map((role) => `CREATE ROLE ${identifier(role)} SUPERUSER`).join("; "));
      return;
    } catch (error) {
      if (!alreadyThere.has((error as pg.DatabaseError).code ?? "")) throw error;
    }
  }
}
