import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";

const insufficientPrivilege = "42501";

/**
 * Runs statements that state what the target had, in one transaction. Those that the connected user may not run (what belongs to a
 * managed service's own superuser, such as schema public or its default privileges) are left out.
 * @returns a line for each that was left out, for people
 */
export async function tryEach(client: pg.Client, statements: readonly string[]): Promise<string[]> {
  const leftOut: string[] = [];
  await withTransaction(client, async () => {
    for (const statement of statements) {
      await client.query("SAVEPOINT attempt");
      await client.query(statement).catch(async (error: pg.DatabaseError) => {
        if (error.code !== insufficientPrivilege) throw error;
        await client.query("ROLLBACK TO SAVEPOINT attempt");
        leftOut.push(`not stated again, for want of rights (${error.message}): ${statement}`);
      });
    }
  });
  return leftOut;
}
