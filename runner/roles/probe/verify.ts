import type pg from "pg";
import type { VerifiedRole } from "../../config/role-declaration.ts";
import { type ConnectionSettings, describe, withClient } from "../../postgres/connection.ts";
import { UserError } from "../../util/errors.ts";
import { passwordAdvice } from "../catalog/passwords.ts";
import { describeFiltered } from "../catalog/row-security.ts";
import { type readProbed, runProbes, type Verification } from "./run-probes.ts";

const codeOf = (error: unknown) => (((error as Error).cause ?? {}) as pg.DatabaseError).code;

/**
 * Why the role could not log in through no fault of its rights: all its connections are in use, or the server takes
 * it from other hosts only.
 */
function excuse(error: unknown): string | undefined {
  const { code, message } = ((error as Error).cause ?? {}) as pg.DatabaseError;
  return code === "53300" || /no pg_hba\.conf entry/.test(message ?? "") ? message : undefined;
}

async function connectAndProbe(
  connection: ConnectionSettings,
  role: VerifiedRole,
  read: typeof readProbed | undefined,
): Promise<Verification | { unprobed: string }> {
  if (!role.byAdmin && Date.parse(role.validUntil) <= Date.now())
    return { unprobed: `its password is not valid any more (validUntil ${role.validUntil})` };
  try {
    return await withClient(connection, (client) => runProbes(client, role, read));
  } catch (error) {
    if (codeOf(error) === "28P01")
      throw new UserError(`The server refuses the password of role "${role.role}": ${passwordAdvice}.`, {
        cause: error,
      });
    const reason = excuse(error);
    if (reason === undefined) throw error;
    return { unprobed: reason };
  }
}

/**
 * Verifies, connected as the role (or as the admin, who acts for it), what it can do and cannot. Throws UserError with
 * every fault; a role that cannot be verified is told by `log`.
 * @param read finds what is in the database, where several roles share one reading
 */
export async function verifyRole(
  connection: ConnectionSettings,
  role: VerifiedRole,
  log: (text: string) => void,
  read?: typeof readProbed,
): Promise<Verification | { unprobed: string }> {
  const result = await connectAndProbe(connection, role, read);
  if ("unprobed" in result) {
    log(`warning: role "${role.role}" was not verified: ${result.unprobed}`);
    return result;
  }
  for (const table of result.filtered)
    if (table.policies.length === 0) log(`warning: ${describeFiltered(table)}`);
  if (result.faults.length > 0) {
    throw new UserError(
      `Role "${role.role}" is declared ${role.access} in ${describe(connection)}, but it\n  ` +
        `${result.faults.join("\n  ")}\nWhat a role holds beyond its grants comes from PUBLIC or from roles it is a member of: ` +
        `./pgstack roles shows which.`,
    );
  }
  return result;
}
