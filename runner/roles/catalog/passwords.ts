import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { readAdmin } from "./admin-powers.ts";

/** How a password that somebody changed on the server is set again. */
export const passwordAdvice =
  "somebody has changed it there. Raise the role's passwordVersion (pgstack:roles) and run up: that sets the stack's password again";

/**
 * The roles whose password on the server is not the stack's. Only a superuser may read what the server stores; any other
 * admin learns of it when a probe logs in.
 *
 * @param verifiers by role, the SCRAM verifier that the stack has set
 */
export async function readChangedPasswords(
  client: pg.Client,
  verifiers: Readonly<Record<string, string>>,
): Promise<string[]> {
  const { superuser } = await readAdmin(client);
  if (!superuser) return [];
  const rows = await rowsOf<{ name: string }>(
    client,
    `SELECT rolname AS name FROM pg_authid JOIN json_each_text($1) stack ON stack.key = rolname
     WHERE rolpassword IS DISTINCT FROM stack.value ORDER BY 1`,
    [JSON.stringify(verifiers)],
  );
  return rows.map(({ name }) => name);
}
