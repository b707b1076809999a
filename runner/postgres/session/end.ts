import pg from "pg";
import { UserError } from "../../util/errors.ts";

/** Why a server ends a session: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const reasons: Readonly<Record<string, string>> = {
  "25P03":
    "it was idle in a transaction for longer than idle_in_transaction_session_timeout allows (ALTER ROLE or ALTER DATABASE … SET, or the server's configuration)",
  "25P04": "its transaction took longer than transaction_timeout allows",
  "57P01": "somebody ended it (pg_terminate_backend), or the server is being shut down",
  "57P02": "the server restarts, since another of its processes crashed",
  "57P03": "the server is starting up or shutting down",
  "57P04": "its database was dropped",
  "57P05": "it was idle for longer than idle_session_timeout allows",
};

/** What a server said as it ended a session that was idle; node-pg tells it apart from any query. */
const lastWords = new WeakMap<pg.ClientBase, Error>();

/** Listens for what the server says as it ends a session. The query that meets a lost connection reports it. */
export function noteSessionEnd(client: pg.ClientBase): void {
  client.on("error", (error) => {
    if (!(lastWords.get(client) instanceof pg.DatabaseError)) lastWords.set(client, error);
  });
}

/** In node-pg's words, for each query of a session that is gone. */
const lost = /^(Connection terminated|Client has encountered a connection error|Client was closed)/;

/** Whether a query failed because its session is gone. */
export function isSessionEnd(error: unknown): boolean {
  if (error instanceof SessionEnd) return true;
  if (error instanceof pg.DatabaseError) return (error.code ?? "") in reasons;
  return error instanceof Error && lost.test(error.message);
}

/** A session that the server ended, or whose connection was lost. */
export class SessionEnd extends UserError {}

/**
 * The sentence for a session that is gone, instead of an error of a query; every other error as it is.
 * @param where what the session was on, for the message
 */
export function explainSessionEnd(client: pg.ClientBase, where: string, error: unknown): unknown {
  if (!isSessionEnd(error) || error instanceof SessionEnd) return error;
  const said = error instanceof pg.DatabaseError ? error : (lastWords.get(client) ?? (error as Error));
  const code = (said as { code?: string }).code ?? "";
  const reason = code in reasons ? `${reasons[code]} (${code})` : said.message;
  const text = code in reasons ? "The server ended the session on" : "The connection was lost to";
  return new SessionEnd(`${text} ${where}: ${reason}.`, { cause: error });
}
