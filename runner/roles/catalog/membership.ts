import type pg from "pg";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { membershipOptions, readServerVersion, setRolePrivilege } from "../../postgres/server-version.ts";
import { identifier } from "../../postgres/sql.ts";
import { UserError } from "../../util/errors.ts";

interface Session {
  readonly user: string;
  readonly superuser: boolean;
  readonly databaseOwner: string;
  /** Of the server. */
  readonly major: number;
}

async function readSession(client: pg.Client): Promise<Session> {
  const session = await oneRow<Omit<Session, "major">>(
    client,
    `SELECT current_user AS user, rolsuper AS superuser,
       (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()) AS "databaseOwner"
     FROM pg_roles WHERE rolname = current_user`,
  );
  const { major } = await readServerVersion(client);
  return { ...session, major };
}

/** The owner of schema public since PostgreSQL 15 is a role that only the database's owner is a member of. */
const acting = (role: string, { databaseOwner }: Session) =>
  role === "pg_database_owner" ? databaseOwner : role;

async function join(client: pg.Client, role: string, { user, major }: Session): Promise<void> {
  await client.query("SAVEPOINT joining");
  try {
    await client.query(`GRANT ${identifier(role)} TO ${identifier(user)}${membershipOptions(major)}`);
  } catch (error) {
    await client.query("ROLLBACK TO SAVEPOINT joining");
    throw new UserError(
      `"${user}" is no superuser and may not act for "${role}", which owns objects here or may make some: ${(error as Error).message}. ` +
        `Let a superuser give them to the database's owner (ALTER … OWNER TO …), or leave them out by the role's "exclude"`,
      { cause: error },
    );
  }
}

/** Those of the roles whose privileges the connected user does not have. */
async function notHeld(client: pg.Client, roles: readonly string[]): Promise<string[]> {
  const rows = await rowsOf<{ rolname: string }>(
    client,
    `SELECT rolname FROM pg_roles
     WHERE rolname = ANY($1) AND NOT (pg_has_role(oid, 'USAGE') AND pg_has_role(oid, ${setRolePrivilege})) ORDER BY 1`,
    [roles],
  );
  return rows.map(({ rolname }) => rolname);
}

/**
 * Gives the connected user the privileges of these roles: a superuser has them; another admin joins those that it isn't
 * in. Throws UserError where it may not.
 * @returns the roles that it joined, for the present transaction to leave
 */
export async function joinRoles(client: pg.Client, roles: Iterable<string>): Promise<string[]> {
  const session = await readSession(client);
  if (session.superuser) return [];
  const needed = [...new Set([...roles].map((role) => acting(role, session)))];
  const joined = await notHeld(client, needed);
  for (const role of joined) await join(client, role, session);
  return joined;
}

/** Runs `use` with the privileges of these roles; an admin who had to join some leaves them again, in the same transaction. */
export async function withPrivilegesOf<T>(
  client: pg.Client,
  roles: Iterable<string>,
  use: () => Promise<T>,
): Promise<T> {
  const joined = await joinRoles(client, roles);
  const result = await use();
  for (const role of joined) await client.query(`REVOKE ${identifier(role)} FROM current_user`);
  return result;
}
