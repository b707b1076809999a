import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, stopCluster } from "../../runner/postgres/cluster.ts";
import { type ConnectionSettings, environmentOf, withClient } from "../../runner/postgres/connection.ts";
import { programEnvironment } from "../../runner/postgres/run-program.ts";
import { serverUser } from "../../runner/postgres/server-user.ts";
import { endOf, runCommand, sql, startCommand, urlOf } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { startTlsCluster, type TlsCluster } from "../support/tls-cluster.ts";

let plain: ThrowawayCluster;
let secure: TlsCluster;
const home = mkdtempSync(join(tmpdir(), "pgstack-home-"));
const otherAuthority = join(home, "other.crt");
before(async () => {
  [plain, secure] = await Promise.all([
    startThrowawayCluster({ admin: "superuser" }),
    startTlsCluster("superuser"),
  ]);
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      "/CN=other",
      "-keyout",
      "/dev/null",
      "-out",
      otherAuthority,
    ],
    { stdio: "ignore" },
  );
});
after(async () => {
  await Promise.all([plain?.close(), secure?.close()]);
  rmSync(home, { recursive: true, force: true });
});

/** Whether the session is encrypted; or the message of the failure, alike from the runner and from libpq's psql. */
async function encryption(settings: ConnectionSettings): Promise<{ runner: string; libpq: string }> {
  const query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
  const runner = await withClient(settings, async (client) =>
    String((await client.query(query)).rows[0].ssl),
  ).catch((error: Error) => error.message);
  const { PGAPPNAME: _, ...way } = environmentOf({ ...settings, sslMode: "disable" });
  const tls = { PGSSLMODE: settings.sslMode, PGSSLROOTCERT: settings.sslRootCert };
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...way, ...tls };
  let libpq: string;
  try {
    const answer = execFileSync(join(secure.place.programs.directory, "psql"), ["-XAtc", query], {
      env,
      encoding: "utf8",
      stdio: "pipe",
    });
    libpq = answer.trim() === "t" ? "true" : "false";
  } catch (error) {
    libpq = (error as { stderr: string }).stderr;
  }
  return { runner, libpq };
}

/** Runs `use` with a home folder that holds this ~/.postgresql/root.crt. */
async function withRootCert<T>(file: string, use: () => Promise<T>): Promise<T> {
  const old = process.env.HOME;
  mkdirSync(join(home, ".postgresql"), { recursive: true });
  copyFileSync(file, join(home, ".postgresql", "root.crt"));
  process.env.HOME = home;
  try {
    return await use();
  } finally {
    process.env.HOME = old;
    rmSync(join(home, ".postgresql"), { recursive: true });
  }
}

test("sslMode means what it means to libpq, with and without a root certificate", async () => {
  const right = { sslRootCert: secure.authority };
  const wrong = { sslRootCert: otherAuthority };
  const here = { ...secure.admin, host: "localhost" };
  const cases: [Partial<ConnectionSettings>, string | RegExp][] = [
    [{ sslMode: "disable", ...wrong }, "false"],
    [{ sslMode: "allow" }, "false"],
    [{ sslMode: "prefer" }, "true"],
    [{ sslMode: "prefer", ...wrong }, "false"],
    [{ sslMode: "require" }, "true"],
    [{ sslMode: "require", sslRootCert: join(home, "nothing.crt") }, "true"],
    [{ sslMode: "require", ...right }, "true"],
    [{ sslMode: "require", ...wrong }, /certificate/],
    [{ sslMode: "verify-ca", ...right, host: "127.0.0.1" }, "true"],
    [{ sslMode: "verify-ca", ...wrong }, /certificate/],
    [{ sslMode: "verify-ca" }, /root certificate|root\.crt/],
    [{ sslMode: "verify-full", ...right }, "true"],
    [{ sslMode: "verify-full", ...right, host: "127.0.0.1" }, /127\.0\.0\.1/],
  ];
  for (const [settings, expected] of cases) {
    const found = await encryption({ ...here, ...settings });
    for (const [side, answer] of Object.entries(found))
      if (typeof expected === "string")
        assert.equal(answer, expected, `${side}: ${JSON.stringify(settings)}`);
      else assert.match(answer, expected, `${side}: ${JSON.stringify(settings)}`);
  }
});

test("~/.postgresql/root.crt counts as libpq counts it", async () => {
  const here = { ...secure.admin, host: "localhost" };
  await withRootCert(otherAuthority, async () => {
    const { runner, libpq } = await encryption({ ...here, sslMode: "require" });
    assert.match(runner, /certificate/);
    assert.match(libpq, /certificate/);
  });
  await withRootCert(secure.authority, async () =>
    assert.deepEqual(await encryption({ ...here, sslMode: "verify-full" }), {
      runner: "true",
      libpq: "true",
    }),
  );
});

test("a connection that fails for its encryption names sslMode and the values that lead out", async () => {
  const url = (cluster: ThrowawayCluster, query: string) => `${urlOf(cluster, "postgres")}?${query}`;
  const none = await runCommand(["roles", "--url", url(plain, "sslmode=require")]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /sslMode is require, and the server does not offer TLS.*prefer.*disable/);
  const selfSigned = await runCommand([
    "roles",
    "--url",
    url(secure, `sslmode=verify-full&sslrootcert=${otherAuthority}`),
  ]);
  assert.equal(selfSigned.code, 1);
  assert.match(selfSigned.stderr, /sslMode is verify-full, and.*sslRootCert.*verify-ca.*require/);
  for (const { stderr } of [none, selfSigned]) assert.doesNotMatch(stderr, /\n {4}at /);
});

test("a % that is not an escape in a URL is refused, and the URL is not repeated", async () => {
  const { code, stderr } = await runCommand(["status", "--url", "postgres://u:100%@h/d"]);
  assert.equal(code, 2);
  assert.match(stderr, /^error: .*write %25 for a %/);
  assert.doesNotMatch(stderr, /100%/);
});

/** Passes connections on to a server, from a port that begins to listen when it is told. */
function forwarder(target: ConnectionSettings): { server: Server; close: () => void } {
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(target.port, target.host);
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    incoming.pipe(outgoing).pipe(incoming);
  });
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { server, close };
}

test("a port that opens late is waited for, and said", async (t) => {
  const port = await freePort();
  const { server, close } = forwarder(plain.admin);
  t.after(close);
  const { user, password } = plain.admin;
  const waiting = endOf(
    startCommand(["roles", "--url", `postgres://${user}:${password}@127.0.0.1:${port}/postgres`]),
  );
  await sleep(5_000);
  server.listen(port, "127.0.0.1");
  const { code, stderr } = await waiting;
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    new RegExp(`waiting for the server on 127\\.0\\.0\\.1:${port}, at most 15 s: .*ECONNREFUSED`),
  );
});

test("a port that nobody listens on is waited for once, for a bounded time", async () => {
  const nobody = { ...plain.admin, port: await freePort() };
  const began = Date.now();
  await assert.rejects(
    withClient(nobody, async () => {}),
    /Cannot connect to database "postgres".*ECONNREFUSED/,
  );
  assert.ok(Date.now() - began >= 15_000);
  const again = Date.now();
  await assert.rejects(
    withClient(nobody, async () => {}),
    /ECONNREFUSED/,
  );
  assert.ok(Date.now() - again < 5_000);
});

test("a server that is starting up is waited for", async (t) => {
  const cluster = await startThrowawayCluster({ admin: "superuser" });
  t.after(() => cluster.close());
  await stopCluster(cluster.place);
  const { directory, programs } = cluster.place;
  const data = join(directory, "data");
  const slow = `restore_command = 'sleep 4; false'\n`; // recovery asks for each file of the archive
  for (const [name, text] of [
    ["recovery.signal", ""],
    ["postgresql.auto.conf", slow],
  ] as const) {
    writeFileSync(join(data, name), text);
    serverUser().own(join(data, name));
  }
  const start = [
    join(programs.directory, "pg_ctl"),
    "start",
    "--no-wait",
    `--pgdata=${data}`,
    `--log=${directory}/log`,
  ];
  const [file, words] = serverUser().as(directory, start);
  execFileSync(file, words, { cwd: "/", stdio: "ignore" });
  const { code, stderr } = await runCommand(["roles", "--url", urlOf(cluster, "postgres")]);
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /waiting for the server on .*, at most 60 s: the database system is (starting up|not yet accepting)/,
  );
});

const limits = [
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
];

test("time limits of a database or role do not end a session of pgstack, nor pg_dump's", async () => {
  await sql(plain.admin, "CREATE DATABASE limited", "CREATE ROLE limited LOGIN SUPERUSER PASSWORD 'limited'");
  for (const [index, name] of limits.entries())
    await sql(plain.admin, `ALTER ${index % 2 === 0 ? "DATABASE" : "ROLE"} limited SET ${name} = '300ms'`);
  const limited = { ...plain.admin, user: "limited", password: "limited", database: "limited" };
  const shown = `SELECT ${limits.map((name) => `current_setting('${name}') AS ${name}`).join(", ")}`;
  const none = Object.fromEntries(limits.map((name) => [name, "0"]));
  await withClient(limited, async (client) => {
    assert.deepEqual((await client.query(shown)).rows[0], none);
    await client.query("RESET ALL"); // as migrations do between files
    await client.query("BEGIN; SELECT pg_sleep(0.6)");
    await sleep(600);
    assert.deepEqual((await client.query(shown)).rows[0], none);
  });
  const psql = join(plain.place.programs.directory, "psql");
  const seen = execFileSync(psql, ["-XAtc", shown], { env: programEnvironment(limited), encoding: "utf8" });
  assert.equal(seen.trim(), "0|0|0|0");
});

test("what a server says as it ends a session is told in a sentence", async () => {
  const idle = withClient(plain.admin, async (client) => {
    await client.query("SET idle_in_transaction_session_timeout = '100ms'; BEGIN");
    await sleep(1_000);
    await client.query("SELECT 1");
  });
  await assert.rejects(idle, {
    name: "UserError",
    message:
      /^The server ended the session on database "postgres" on .*: it was idle in a transaction for longer .*\(25P03\)\.$/,
  });
  const ended = withClient(plain.admin, async (client) => {
    const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
    const end = sql(plain.admin, `SELECT pg_sleep(0.3), pg_terminate_backend(${rows[0].pid})`);
    await client.query("SELECT pg_sleep(60)").finally(() => end);
  });
  await assert.rejects(ended, { name: "UserError", message: /somebody ended it.*\(57P01\)\.$/ });
});

test("PG* variables of the user's shell lead no session elsewhere", async () => {
  const env = {
    PGHOSTADDR: "192.0.2.1",
    PGSERVICE: "elsewhere",
    PGOPTIONS: "-c work_mem=77MB",
    PGPASSWORD: "wrong",
  };
  const { code, stderr } = await runCommand(["roles", "--url", urlOf(plain, "postgres")], { env });
  assert.equal(code, 0, stderr);
  Object.assign(process.env, env);
  try {
    const [row] = await sql(plain.admin, "SELECT current_setting('work_mem') AS memory");
    assert.equal(row?.memory, "4MB");
    const open = { ...plain.admin, password: undefined };
    await assert.rejects(
      withClient(open, async () => {}),
      (error: Error) => !/password authentication failed/.test(error.message),
    );
  } finally {
    for (const name of Object.keys(env)) delete process.env[name];
  }
});
