import pg from "pg";

/** duplicate_object, and unique_violation where two make it at the same moment. */
const alreadyThere = new Set(["42710", "23505"]);

/** Makes the roles that a scratch server of ours lacks. Both sides of a revision may do so at once. */
export async function createRoles(client: pg.Client, roles: readonly string[]): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ rolname: string }>("SELECT rolname FROM pg_roles");
    const present = new Set(rows.map(({ rolname }) => rolname));
    const missing = roles.filter((role) => !present.has(role));
    if (missing.length === 0) return;
    try {
      await client.query(missing.map((role) => `CREATE ROLE ${pg.escapeIdentifier(role)}`).join("; "));
      return;
    } catch (error) {
      if (!alreadyThere.has((error as pg.DatabaseError).code ?? "")) throw error;
    }
  }
}
