import pg from "pg";
import { UserError } from "../../util/errors.ts";

const quote = pg.escapeIdentifier;

interface Standing {
  readonly user: string;
  readonly superuser: boolean;
  readonly version: number;
  readonly databaseOwner: string;
}

async function standingOf(client: pg.Client): Promise<Standing> {
  const { rows } = await client.query(
    `SELECT current_user AS user, rolsuper AS superuser, current_setting('server_version_num')::int AS version,
       (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()) AS "databaseOwner"
     FROM pg_roles WHERE rolname = current_user`,
  );
  return rows[0];
}

/** The owner of schema public since PostgreSQL 15 is a role that only the database's owner is a member of. */
const acting = (role: string, { databaseOwner }: Standing) =>
  role === "pg_database_owner" ? databaseOwner : role;

async function join(client: pg.Client, role: string, { user, version }: Standing): Promise<void> {
  const options = version >= 160_000 ? " WITH INHERIT TRUE, SET TRUE" : "";
  await client.query("SAVEPOINT joining");
  try {
    await client.query(`GRANT ${quote(role)} TO ${quote(user)}${options}`);
  } catch (error) {
    await client.query("ROLLBACK TO SAVEPOINT joining");
    throw new UserError(
      `"${user}" is no superuser and may not act for "${role}", which owns objects here or may make some: ${(error as Error).message}. ` +
        `Let a superuser give them to the database's owner (ALTER … OWNER TO …), or leave them out by the role's "exclude"`,
      { cause: error },
    );
  }
}

async function strangers(
  client: pg.Client,
  roles: readonly string[],
  { version }: Standing,
): Promise<string[]> {
  const asMember = version >= 160_000 ? "AND pg_has_role(rolname, 'SET')" : "";
  const { rows } = await client.query(
    `SELECT rolname FROM pg_roles
     WHERE rolname = ANY($1) AND NOT (pg_has_role(rolname, 'USAGE') ${asMember}) ORDER BY 1`,
    [roles],
  );
  return rows.map(({ rolname }) => rolname);
}

/**
 * Gives the connected user the rights of these roles: a superuser has them; another admin joins those that it isn't
 * in. Throws UserError where it may not.
 * @returns the roles that it joined, for the present transaction to leave
 */
export async function joinRoles(client: pg.Client, roles: Iterable<string>): Promise<string[]> {
  const standing = await standingOf(client);
  if (standing.superuser) return [];
  const needed = [...new Set([...roles].map((role) => acting(role, standing)))];
  const joined = await strangers(client, needed, standing);
  for (const role of joined) await join(client, role, standing);
  return joined;
}

/** Runs `use` with the rights of these roles; an admin who had to join some leaves them again, in the same transaction. */
export async function withRightsOf<T>(
  client: pg.Client,
  roles: Iterable<string>,
  use: () => Promise<T>,
): Promise<T> {
  const joined = await joinRoles(client, roles);
  const result = await use();
  for (const role of joined) await client.query(`REVOKE ${quote(role)} FROM current_user`);
  return result;
}
