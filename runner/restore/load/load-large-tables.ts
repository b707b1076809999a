import pg from "pg";
import type { ArchiveEntry } from "../../dump/archive/parser.ts";
import { type ConnectionSettings, withClient } from "../../postgres/connection.ts";
import { copyInto } from "../../postgres/copy.ts";
import { UserError } from "../../util/errors.ts";
import { failureText } from "./failures.ts";
import { type LargeTable, rowPieces } from "./large-tables.ts";
import { sessionSettings } from "./load.ts";

/** Who loads the rows, and as whom. */
export interface LargeLoad {
  readonly connection: ConnectionSettings;
  readonly owner: string;
  /** The dump's encoding. */
  readonly encoding: string;
  readonly jobs: number;
  readonly signal: AbortSignal;
  readonly onTable: () => void;
}

/** Loads one table after the other, each by all sessions. The rows keep their order, but for neighbours. */
export async function loadLargeTables(tables: readonly LargeTable[], load: LargeLoad): Promise<void> {
  for (const table of tables) {
    load.onTable();
    try {
      await loadBySessions(table, load);
    } catch (error) {
      load.signal.throwIfAborted();
      throw failureOf(table.entry, error as DatabaseFailure);
    }
  }
}

/** The first session that fails ends the others, and its failure is thrown once they have ended. */
async function loadBySessions({ file, statement }: LargeTable, load: LargeLoad): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([load.signal, stop.signal]);
  const pieces = rowPieces(file, signal);
  const thrown: unknown[] = [];
  const session = () =>
    withClient(load.connection, async (client) => {
      await prepareSession(client, load);
      await copyInto(client, statement, pieces, signal);
    }).catch((error) => {
      thrown.push(error);
      stop.abort();
    });
  await Promise.all(Array.from({ length: load.jobs }, session));
  await pieces.return(undefined);
  if (thrown.length > 0) throw thrown[0];
}

/** As pg_restore prepares its sessions. */
async function prepareSession(client: pg.Client, { owner, encoding }: LargeLoad): Promise<void> {
  const settings = {
    ...{
      ...sessionSettings,
      client_encoding: encoding,
      search_path: "",
      row_security: "off",
      xmloption: "content",
    },
    ...{ statement_timeout: "0", lock_timeout: "0", idle_in_transaction_session_timeout: "0" },
  };
  for (const [name, value] of Object.entries(settings))
    await client.query("SELECT set_config($1, $2, false)", [name, value]);
  await client.query(`SET ROLE ${pg.escapeIdentifier(owner)}`);
}

interface DatabaseFailure {
  readonly message: string;
  readonly detail?: string;
  readonly where?: string;
}

function failureOf(entry: ArchiveEntry, error: DatabaseFailure): UserError {
  const where = error.where?.replace(/, line \d+/, ""); // a line of one session's share says nothing
  const message = [error.message, error.detail, where && `CONTEXT: ${where}`].filter(Boolean).join(" ");
  return new UserError(failureText({ entry, message }), { cause: error });
}
