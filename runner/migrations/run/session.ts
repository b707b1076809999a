import { randomUUID } from "node:crypto";
import pg from "pg";
import {
  type ConnectionSettings,
  connectionFromEnvironment,
  describe,
  openClient,
} from "../../postgres/connection.ts";
import { oneRow } from "../../postgres/rows.ts";
import { explainSessionEnd } from "../../postgres/session/end.ts";
import { announcedProcess } from "../../postgres/session/wire.ts";
import { identifier } from "../../postgres/sql.ts";
import { RefusedError, UserError } from "../../util/errors.ts";

/** Who a run of migrations connects as. */
export interface Access {
  /** The database's owner. */
  readonly owner: ConnectionSettings;
  /** Who may stand in for the owner where the owner's password is refused (it was changed in the same update). */
  readonly admin?: ConnectionSettings | undefined;
}

/** Who a stack's resources connect as: PG* is the owner, PGSTACK_ADMIN_USER and …_PASSWORD (or …_PASSWORD_COMMAND) the stand-in. */
export function accessFromEnvironment(env: NodeJS.ProcessEnv): Access {
  const owner = connectionFromEnvironment(env);
  const user = env.PGSTACK_ADMIN_USER;
  const passwordCommand = env.PGSTACK_ADMIN_PASSWORD_COMMAND || undefined;
  return user
    ? { owner, admin: { ...owner, user, password: env.PGSTACK_ADMIN_PASSWORD, passwordCommand } }
    : { owner };
}

/** One session that runs migrations as the owner. */
export interface Session {
  readonly client: pg.Client;
  /** The process of the server behind it. */
  readonly pid: number;
  /** The role that migrations run as. */
  readonly owner: string;
  /** Another connection to the same place, to watch this one with. */
  readonly openSecond: () => Promise<pg.Client>;
  /** SQL that undoes whatever a script did to the session's state, and keeps the session's advisory lock (DISCARD ALL would not). */
  readonly resetSql: string;
}

const reset = [
  "SET SESSION AUTHORIZATION DEFAULT",
  "RESET ALL",
  "DEALLOCATE ALL",
  "CLOSE ALL",
  "UNLISTEN *",
  "DISCARD TEMP",
  "DISCARD SEQUENCES",
];

/** Whether an error says that the server does not take the password. */
export function passwordRefused(error: unknown): boolean {
  const code = ((error as Error).cause as { code?: string } | undefined)?.code;
  return code === "28P01" || code === "28000";
}

async function standIn(
  admin: ConnectionSettings,
  owner: ConnectionSettings,
): Promise<[pg.Client, ConnectionSettings, string[]]> {
  return [await openClient(admin), admin, [`SET ROLE ${identifier(owner.user)}`]];
}

/** Opens a connection, and says how it becomes the owner. */
async function connect({ owner, admin }: Access): Promise<[pg.Client, ConnectionSettings, string[]]> {
  if (!owner.password && admin !== undefined) return standIn(admin, owner); // an adopted owner's is not known
  try {
    return [await openClient(owner), owner, []];
  } catch (error) {
    if (admin === undefined || !passwordRefused(error)) throw error;
    return standIn(admin, owner);
  }
}

/** The server ends a statement whose client was killed, so that its locks go with it. */
const watchClient = "SET client_connection_check_interval = '1s'";

async function prepare(client: pg.Client, statements: readonly string[], owner: string): Promise<void> {
  if (statements.length === 0) return;
  await client.query(statements.join("; ")).catch((error: Error) => {
    throw new UserError(
      `The password of "${owner}" was refused, and the admin cannot act as it: ${error.message}`,
      {
        cause: error,
      },
    );
  });
}

/**
 * The session's own queries fail where row security would hide rows of the history from the owner, instead of continuing as if
 * nothing were applied. Scripts run with what the role and the database say.
 */
const seeAll = "SET row_security = off";

/** What migrations keep is their owner's; a right that is missing is no bug of the program. */
function explainRights(error: unknown, { user, database }: ConnectionSettings): unknown {
  if (!(error instanceof pg.DatabaseError) || error.code !== "42501") return error;
  if (/row-level security/.test(error.message))
    return new RefusedError(
      `Row security hides the history of migrations in database "${database}" from "${user}": ${error.message}. Expected a history table ` +
        "without row security: ALTER TABLE … DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY. Nothing was run.",
      { cause: error },
    );
  return new UserError(
    `"${user}" lacks a right in database "${database}": ${error.message}. Migrations are run, and their history is read, as the ` +
      "database's owner: connect as that role.",
    { cause: error },
  );
}

/** Lends a session that runs as the owner; closes it afterwards. Throws UserError where no connection is to be had. */
export async function withSession<T>(access: Access, use: (session: Session) => Promise<T>): Promise<T> {
  const [client, settings, identity] = await connect(access);
  try {
    const pid = await processOf(client);
    await refuseTransactionPooler(client, pid, () => openClient(settings));
    const lasting = [watchClient, seeAll, ...identity];
    await prepare(client, lasting, access.owner.user);
    return await use({
      client,
      pid,
      owner: access.owner.user,
      openSecond: () => openClient(settings),
      resetSql: [...reset, ...lasting].join("; "),
    });
  } catch (error) {
    throw explainRights(explainSessionEnd(client, describe(settings), error), access.owner);
  } finally {
    await client.end().catch(() => {});
  }
}

/** The number of the server's process that answers. */
async function processOf(client: pg.Client): Promise<number> {
  return (await oneRow<{ pid: number }>(client, "SELECT pg_catalog.pg_backend_pid() AS pid")).pid;
}

/** Whether a mark that one session sets is gone from it once another has taken its turn. */
async function losesSession(client: pg.Client, second: pg.Client): Promise<boolean> {
  const mark = randomUUID();
  const before = await processOf(client);
  await client.query(`SELECT pg_catalog.set_config('pgstack.session', '${mark}', false)`);
  await second.query("BEGIN");
  try {
    await processOf(second); // takes, for its transaction, the server session that the first has just left
    const found = await oneRow<{ mark: string | null }>(
      client,
      "SELECT pg_catalog.current_setting('pgstack.session', true) AS mark",
    );
    return found.mark !== mark || (await processOf(client)) !== before;
  } finally {
    await second.query("ROLLBACK").catch(() => {});
  }
}

/**
 * Refuses a pooler that gives each transaction another session of the server: locks and settings of a session would be
 * lost, or reach others. A pooler shows by the process number that it makes up; one that keeps sessions apart is
 * let pass.
 * @param pid the server's process that answered the client
 */
export async function refuseTransactionPooler(
  client: pg.Client,
  pid: number,
  openSecond: () => Promise<pg.Client>,
): Promise<void> {
  const announced = announcedProcess(client);
  if (announced === pid) return;
  const second = await openSecond();
  try {
    if (await losesSession(client, second))
      throw new RefusedError(
        "Between here and the server stands a pooler that gives each transaction another session, and migrations need one session: " +
          "connect to the server itself, or to a pool in session mode.",
      );
  } finally {
    await second.end().catch(() => {});
  }
}
