// A private server is reached by ssh: by one tunnel for a run, for the provider, the runner and PostgreSQL's programs.
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { openTunnel } from "../../runner/gateway/tunnel.ts";
import { type ConnectionSettings, environmentOf, withClient } from "../../runner/postgres/connection.ts";
import { findPrograms } from "../../runner/postgres/programs.ts";
import { childEnvironment } from "../../runner/util/child-environment.ts";
import { projectRoot } from "../../runner/util/project.ts";
import { sql } from "../support/databases.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { type SshServer, startSshServer, withoutSsh } from "../support/ssh-server.ts";
import { startTlsCluster, type TlsCluster } from "../support/tls-cluster.ts";
import { until } from "../support/wait.ts";

const execute = promisify(execFile);
const skip = withoutSsh;
let cluster: TlsCluster;
let bastion: SshServer;
let project: TestProject;
/** By the name in the server's certificate. */
let admin: ConnectionSettings;

before(async () => {
  if (skip) return;
  [cluster, bastion, project] = [await startTlsCluster(), await startSshServer(), createProject()];
  admin = { ...cluster.admin, host: "localhost", sslMode: "verify-full", sslRootCert: cluster.authority };
  await sql(cluster.admin, "ALTER SYSTEM SET log_connections = on");
  await sql(cluster.admin, "SELECT pg_reload_conf()");
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  const table = "-- migrate: up\nCREATE TABLE users (id int);\n-- migrate: down\nDROP TABLE users;\n";
  project.write("migrations/20240101000000_users.sql", table);
});
after(async () => {
  await project?.close();
  await bastion?.close();
  await cluster?.close();
});

/** How many connections the server has taken so far, by its own log. */
const received = () =>
  readFileSync(join(cluster.place.directory, "server.log"), "utf8").split("connection received").length - 1;

/** Whether an ssh of the tests' own bastion still runs. */
const isSshRunning = () =>
  execFileSync("ps", ["-A", "-o", "args="], { encoding: "utf8" })
    .split("\n")
    .some((line) => line.startsWith("ssh ") && line.includes(`-p ${bastion.via.port} `));

const passing = async () => {
  const start = { channels: bastion.channels(), received: received() };
  return () => ({ led: bastion.channels() - start.channels, received: received() - start.received });
};

test("the driver and psql go through the tunnel, and verify the server's own name", { skip }, async () => {
  await using tunnel = await openTunnel(bastion.via, admin, () => {});
  process.env.PGSTACK_ROUTES = JSON.stringify([
    tunnel.route,
    { ...tunnel.route, host: "127.0.0.1" }, // the same way to a name that the certificate does not have
  ]);
  try {
    const count = await passing();
    const query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert.deepEqual(await sql(admin, query), [{ ssl: true }]);
    const { directory } = await findPrograms("psql");
    const psql = (settings: ConnectionSettings) =>
      execute(join(directory, "psql"), ["-XAtc", query], { env: childEnvironment(environmentOf(settings)) });
    assert.equal((await psql(admin)).stdout, "t\n");
    assert.deepEqual(count(), { led: 2, received: 2 });
    const otherName = { ...admin, host: "127.0.0.1" };
    await assert.rejects(sql(otherName, query), /does not match certificate/);
    await assert.rejects(psql(otherName), /does not match host name "127.0.0.1"/);
  } finally {
    delete process.env.PGSTACK_ROUTES;
  }
});

test("a host with another key, or with an unknown one, is refused, and nothing stays behind", {
  skip,
}, async () => {
  const unknown = join(project.directory, "no_hosts");
  writeFileSync(unknown, "");
  for (const knownHostsFile of [bastion.strangeHostsFile, unknown]) {
    const opening = openTunnel({ ...bastion.via, knownHostsFile }, admin, () => {});
    await assert.rejects(opening, /tunnel by ssh to .* could not be opened: .*Host key verification failed/);
  }
  assert.equal(isSshRunning(), false);
});

test("two tunnels stand side by side, and each is gone with its process, also where that is killed", {
  skip,
}, async () => {
  const program = `
    const { openTunnel } = await import(${JSON.stringify(join(projectRoot, "runner/gateway/tunnel.ts"))});
    const { route } = await openTunnel(${JSON.stringify(bastion.via)}, ${JSON.stringify(admin)}, () => {});
    console.log(route.localPort);
    setInterval(() => {}, 1000);`;
  const run = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed] = await once(run.stdout, "data");
  const port = Number(String(printed));
  {
    await using other = await openTunnel(bastion.via, admin, () => {});
    assert.notEqual(other.route.localPort, port);
    const throughBoth = [port, other.route.localPort].map((one) =>
      withClient({ ...cluster.admin, port: one }, async () => one),
    );
    assert.deepEqual(await Promise.all(throughBoth), [port, other.route.localPort]);
  }
  assert.equal(isSshRunning(), true, "the first tunnel does not end with the second");
  run.kill("SIGKILL");
  await until(() => !isSshRunning());
  const socket = connect(port, "127.0.0.1");
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNREFUSED");
});

function configure(changes: Record<string, unknown>): void {
  const { port, user } = admin;
  const { authority: sslRootCert } = cluster;
  project.configure("private", {
    instance: { kind: "existing", host: "localhost", port, adminUser: user, sslRootCert, via: bastion.via },
    database: { name: "app", owner: "app_owner" },
    roles: [{ name: "reader", access: "readonly" }],
    dump: { label: "first", when: "after" },
    protect: false,
    ...changes,
  });
}

test("a stack comes up, previews no change, is dumped and destroyed through its tunnel alone", {
  skip,
}, async () => {
  configure({ adminPassword: admin.password });
  const count = await passing();
  const plain = async (...words: string[]) => {
    const { code, output } = await project.pulumi(...words, "--stack", "private");
    assert.notEqual(code, 0);
    assert.match(output, /instance\.via: expected a run of \.\/pgstack/);
  };
  await done(project.pgstack("up", "private", "--yes", "--skip-preview"));
  await done(project.pgstack("preview", "private", "--expect-no-changes"));
  await plain("preview");
  assert.equal(
    await done(
      project.pgstack("psql", "--stack", "private", "--role", "reader", "--", "-XAtc", "TABLE users"),
    ),
    "",
  );
  const dump = join(project.directory, "by-hand.dump");
  await done(project.pgstack("dump", "--stack", "private", "--out", dump));
  assert.ok(existsSync(dump));
  const { led, received } = count();
  assert.ok(received > 10, "the run has connected");
  assert.equal(led, received, "every connection came through the tunnel");
  assert.equal(isSshRunning(), false);
});

test("an administrator's token is asked for by every connection, and stored nowhere", { skip }, async () => {
  const [token, asked] = ["token", "asked"].map((name) => join(project.directory, name)) as [string, string];
  const issue = async (text: string) => {
    await sql({ ...cluster.admin, password }, `ALTER ROLE postgres PASSWORD '${text}'`);
    password = text;
    writeFileSync(token, `${text}\n`);
  };
  let password = cluster.admin.password as string;
  await issue("the-first-token");
  configure({ adminAuth: { command: `echo asked >>"${asked}" && cat "${token}"` } });
  const count = await passing();
  const output = await done(project.pgstack("up", "private", "--yes", "--skip-preview", "--diff"));
  await done(project.pgstack("preview", "private", "--expect-no-changes"));
  const { led, received } = count();
  assert.equal(led, received, "every connection came through the tunnel");
  assert.match(output, /1 updated/, "the provider alone");
  const state = await done(project.pulumi("stack", "export", "--show-secrets", "--stack", "private"));
  for (const text of [output, state]) assert.ok(!text.includes("the-first-token"));
  assert.ok(readFileSync(asked, "utf8").split("\n").length > 5);
  await issue("the-second-token");
  await done(project.pgstack("destroy", "private", "--yes", "--skip-preview"));
  const left = "SELECT 1 FROM pg_roles WHERE rolname IN ('reader', 'app_owner')";
  assert.deepEqual(await sql({ ...cluster.admin, password }, left), []);
  assert.equal(isSshRunning(), false);
});
