import type pg from "pg";
import { type ConnectionSettings, describe, withClient } from "../../postgres/connection.ts";
import { UserError } from "../../util/errors.ts";
import type { ProbedRole } from "../plan/declaration.ts";
import { type Probe, probeRole, type readProbed } from "./probe.ts";

/**
 * Why the role could not log in through no fault of its rights: all its connections are in use, or the server takes
 * it from other hosts only.
 */
function excuse(error: unknown): string | undefined {
  const { code, message } = ((error as Error).cause ?? {}) as pg.DatabaseError;
  return code === "53300" || /no pg_hba\.conf entry/.test(message ?? "") ? message : undefined;
}

async function probe(
  connection: ConnectionSettings,
  role: ProbedRole,
  read: typeof readProbed | undefined,
): Promise<Probe | { unprobed: string }> {
  if (!role.byAdmin && Date.parse(role.validUntil) <= Date.now())
    return { unprobed: `its password counts no longer (validUntil ${role.validUntil})` };
  try {
    return await withClient(connection, (client) => probeRole(client, role, read));
  } catch (error) {
    const reason = excuse(error);
    if (reason === undefined) throw error;
    return { unprobed: reason };
  }
}

/**
 * Proves, connected as the role (or as the admin, who takes its part), what it can do and cannot. Throws UserError with
 * every fault; a role that cannot be tried is told by `log`.
 * @param read finds what is in the database, where several roles share one reading
 */
export async function proveRole(
  connection: ConnectionSettings,
  role: ProbedRole,
  log: (text: string) => void,
  read?: typeof readProbed,
): Promise<Probe | { unprobed: string }> {
  const result = await probe(connection, role, read);
  if ("unprobed" in result) {
    log(`warning: role "${role.role}" was not probed: ${result.unprobed}`);
  } else if (result.faults.length > 0) {
    throw new UserError(
      `Role "${role.role}" is declared ${role.access} in ${describe(connection)}, but it\n  ` +
        `${result.faults.join("\n  ")}\nWhat a role holds beyond its grants comes from PUBLIC or from roles it is a member of: ` +
        `./pgstack roles shows which.`,
    );
  }
  return result;
}
