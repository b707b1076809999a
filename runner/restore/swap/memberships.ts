import type pg from "pg";
import { withTransaction } from "../../postgres/connection.ts";
import { maybeRow, rowsOf } from "../../postgres/rows.ts";
import { membershipOptions, readServerVersion, setRolePrivilege } from "../../postgres/server-version.ts";
import { identifier, literal } from "../../postgres/sql.ts";

// A restore acts for the role that owns the target's content. A superuser may. The administrator that a managed service gives (LOGIN
// CREATEDB CREATEROLE) joins those roles and leaves them again. pg_restore works by several sessions, so that the membership has to be
// committed meanwhile: the database that is loaded says in its comment which roles to leave, should the run be killed.

/** A session that acts for other roles. */
interface Acting {
  readonly client: pg.Client;
}

interface RoleState {
  readonly role: string;
  /** The connected user has the role's privileges, and may become it. */
  readonly held: boolean;
  readonly member: boolean;
}

async function readStates(client: pg.Client, roles: readonly string[]): Promise<RoleState[]> {
  return rowsOf<RoleState>(
    client,
    `SELECT rolname AS role, pg_has_role(oid, 'USAGE') AND pg_has_role(oid, ${setRolePrivilege}) AS held, pg_has_role(oid, 'MEMBER') AS member
     FROM pg_catalog.pg_roles WHERE rolname = ANY ($1) ORDER BY rolname`,
    [roles],
  );
}

const joinSql = (role: string, major: number) =>
  `GRANT ${identifier(role)} TO CURRENT_USER${membershipOptions(major)}`;

/** Joins those of the roles that it may, in the present transaction. Gives their names. */
async function join(client: pg.Client, roles: readonly string[], major: number): Promise<string[]> {
  const joined: string[] = [];
  for (const role of roles) {
    await client.query("SAVEPOINT joining");
    try {
      await client.query(joinSql(role, major));
      joined.push(role);
    } catch {
      await client.query("ROLLBACK TO SAVEPOINT joining"); // what needs the role says so by itself
    }
  }
  return joined;
}

/**
 * The roles among these that the connected user has to join to act for them, and may. One that it is a member of without its
 * privileges (a user with NOINHERIT, before version 16) stays as it is: to leave it would take a membership away.
 */
export async function neededMemberships(client: pg.Client, roles: readonly string[]): Promise<string[]> {
  const { major } = await readServerVersion(client);
  const states = await readStates(client, roles);
  const needed = states
    .filter(({ held, member }) => !held && (major >= 16 || !member))
    .map(({ role }) => role);
  await client.query("BEGIN");
  try {
    return await join(client, needed, major);
  } finally {
    await client.query("ROLLBACK");
  }
}

/** Lends the membership in these roles, and leaves them whatever happens, save where the server is gone. */
export async function withMemberships<T>(
  { client }: Acting,
  roles: readonly string[],
  use: () => Promise<T>,
): Promise<T> {
  if (roles.length === 0) return use();
  const { major } = await readServerVersion(client);
  await withTransaction(client, () => join(client, roles, major));
  try {
    return await use();
  } finally {
    for (const role of roles)
      await client.query(`REVOKE ${identifier(role)} FROM CURRENT_USER`).catch(() => {}); // the next restore does
  }
}

/**
 * Runs a reading `use` with the privileges of a role, as far as the connected user has them or can get them: the membership is
 * undone with the transaction.
 */
export async function readingAs<T>(client: pg.Client, role: string, use: () => Promise<T>): Promise<T> {
  const { major } = await readServerVersion(client);
  const states = await readStates(client, [role]);
  await client.query("BEGIN");
  try {
    await join(
      client,
      states.flatMap(({ role, held }) => (held ? [] : [role])),
      major,
    );
    return await use();
  } finally {
    await client.query("ROLLBACK").catch(() => {});
  }
}

const recordPrefix = "pgstack restore; roles that its user joined: ";

/** The statement by which a database of a restore says which roles its user has joined. */
export function recordMemberships(database: string, roles: readonly string[]): string {
  const text = roles.length === 0 ? "NULL" : literal(recordPrefix + JSON.stringify(roles));
  return `COMMENT ON DATABASE ${identifier(database)} IS ${text}`;
}

/** The roles that a database of a restore which was killed says to leave. */
export async function recordedMemberships(client: pg.Client, database: string): Promise<string[]> {
  const row = await maybeRow<{ comment: string | null }>(
    client,
    "SELECT pg_catalog.shobj_description(oid, 'pg_database') AS comment FROM pg_catalog.pg_database WHERE datname = $1",
    [database],
  );
  const comment = row?.comment ?? "";
  return comment.startsWith(recordPrefix) ? (JSON.parse(comment.slice(recordPrefix.length)) as string[]) : [];
}
