import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../runner/postgres/cluster.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { serverUser } from "../../runner/postgres/server-user.ts";

/** A PgBouncer of the test's own, in front of one database. */
export interface PgBouncer extends AsyncDisposable {
  readonly configFile: string;
  readonly authFile: string;
  /** Leads to its console, as a user who may pause. */
  readonly adminUrl: string;
  /** Leads through it to the database; the password is the user's name. */
  readonly through: (user: string) => ConnectionSettings;
  /** What its configuration holds now. */
  readonly config: () => string;
  /** Ends it at once, as a crash would. */
  readonly kill: () => Promise<void>;
  /** Starts it again after a kill. */
  readonly start: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** How it pools, and what stands in its files beside the least. */
export interface PgBouncerOptions {
  readonly database: ConnectionSettings;
  readonly poolMode: "session" | "transaction";
  /** Further lines of its section `[pgbouncer]`. */
  readonly settings?: string;
  /** Lines of its auth_file. */
  readonly users?: string;
}

const plainUsers = ["own", "app", "boss"].map((user) => `"${user}" "${user}"\n`).join("");

function configText(options: PgBouncerOptions, port: number, authFile: string): string {
  const { database, poolMode, settings = "" } = options;
  return `;; kept as it is
[databases]
other = host=127.0.0.1 port=1
${database.database} = host=${database.host}  port=${database.port} pool_size=15
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${authFile}
admin_users = console
stats_users = watcher
pool_mode = ${poolMode}
${settings}
`;
}

/** Starts Debian's PgBouncer as an unprivileged user, since it refuses root, on a free port. */
export async function startPgBouncer(options: PgBouncerOptions): Promise<PgBouncer> {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-pgbouncer-"));
  const [configFile, authFile] = [join(directory, "pgbouncer.ini"), join(directory, "userlist.txt")];
  const port = await freePort();
  const account = serverUser();
  writeFileSync(configFile, configText(options, port, authFile), { mode: 0o640 });
  writeFileSync(authFile, `"console" "s3cret"\n"watcher" "watcher"\n${options.users ?? plainUsers}`);
  for (const path of [directory, configFile, authFile]) account.own(path);
  const through = (user: string, password = user): ConnectionSettings => ({
    ...options.database,
    ...{ host: "127.0.0.1", port, user, password, sslMode: "disable" },
  });
  let child: ChildProcess | undefined;
  const start = async () => {
    const [program, args] = account.as(directory, ["pgbouncer", "--quiet", configFile]);
    const path = `${process.env.PATH}:/usr/sbin`;
    child = spawn(program, args, { cwd: "/", stdio: "ignore", env: { ...process.env, PATH: path } });
    const console = { ...through("console", "s3cret"), database: "pgbouncer" };
    for (let attempt = 0; ; attempt++) {
      try {
        return await withClient(console, async () => {});
      } catch (error) {
        if (attempt === 100) throw error;
        await sleep(50);
      }
    }
  };
  const kill = async () => {
    const ended = new Promise((resolve) => child?.once("close", resolve));
    if (child?.kill("SIGKILL") === true) await ended;
  };
  const close = async () => {
    await kill();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    configFile,
    authFile,
    adminUrl: `postgres://console:s3cret@127.0.0.1:${port}/pgbouncer`,
    through,
    config: () => readFileSync(configFile, "utf8"),
    kill,
    start,
    close,
    [Symbol.asyncDispose]: close,
  };
}
