import type { Socket } from "node:net";
import pg from "pg";
import { type ConnectionSettings, openClient } from "../postgres/connection.ts";
import { sessionKeyOf, wireOf } from "../postgres/session/wire.ts";
import { joinSockets, take } from "./sockets.ts";

// Messages: https://www.postgresql.org/docs/current/protocol-message-formats.html
const protocol3 = 3;
const encryptionRequests = new Set([80877103, 80877104]); // SSLRequest, GSSENCRequest

/** Parameters that a server reports by itself: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC */
const reported = [
  ...["application_name", "client_encoding", "DateStyle", "default_transaction_read_only", "in_hot_standby"],
  ...["integer_datetimes", "IntervalStyle", "is_superuser", "scram_iterations", "search_path"],
  ...[
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
  ],
];

function message(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(`${part}\0`) : part)),
  );
  const head = Buffer.alloc(5, type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function int32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => void bytes.writeInt32BE(value | 0, at * 4));
  return bytes;
}

/** What the client says as it begins: user, database, and settings of its session. Throws where it begins with something else. */
async function readStartup(client: Socket): Promise<Readonly<Record<string, string>>> {
  for (;;) {
    const length = (await take(client, 4)).readInt32BE();
    const body = await take(client, length - 4);
    const code = body.readInt32BE();
    if (encryptionRequests.has(code)) client.write("N");
    else if (code >>> 16 !== protocol3)
      throw new Error("the client begins with something else than a session");
    else return pairsOf(body.subarray(4).toString("utf8").split("\0"));
  }
}

function pairsOf(words: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let at = 0; words[at]; at += 2) pairs[words[at] as string] = words[at + 1] ?? "";
  return pairs;
}

/** What a client says of itself that is no setting of its session. */
const notSettings = ["user", "database", "replication", "options"];

/** Gives the session the client's settings. @returns what a server reports */
async function adapt(
  server: pg.Client,
  startup: Readonly<Record<string, string>>,
): Promise<readonly { name: string; setting: string }[]> {
  const settings = Object.entries(startup).filter(
    ([name]) => !notSettings.includes(name) && !name.startsWith("_pq_."),
  );
  for (const [name, value] of settings) await server.query("SELECT set_config($1, $2, false)", [name, value]);
  const { rows } = await server.query<{ name: string; setting: string }>(
    "SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY($1)",
    [reported],
  );
  return rows;
}

function refuse(client: Socket, error: unknown): void {
  const { message: text, cause } = error as Error;
  const code = cause instanceof pg.DatabaseError ? (cause.code ?? "08006") : "08006"; // connection_failure
  client.end(message("E", "SFATAL", `C${code}`, `M${text}`, Buffer.alloc(1)));
}

/**
 * Serves a client that has no password: logs in to the server for it, by TLS and by the password that the settings' command prints
 * now, and then hands on what both say. The client's session is the server's; its database may be another one.
 */
export async function serveWithLogin(client: Socket, settings: ConnectionSettings): Promise<void> {
  const startup = await readStartup(client);
  try {
    const server = await openClient({ ...settings, database: startup.database || settings.database });
    const parameters = await adapt(server, startup);
    client.write(
      Buffer.concat([
        message("R", int32(0)), // AuthenticationOk
        ...parameters.map(({ name, setting }) => message("S", name, setting)),
        message("K", int32(...sessionKeyOf(server))),
        message("Z", Buffer.from("I")),
      ]),
    );
    const { stream } = wireOf(server);
    stream.removeAllListeners(); // from here on node-pg reads nothing
    joinSockets(client, stream);
  } catch (error) {
    refuse(client, error);
  }
}
