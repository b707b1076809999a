import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { type ConnectionSettings, connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { projectRoot } from "../../runner/util/project.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startTlsCluster, type TlsCluster } from "../support/tls-cluster.ts";

let project: TestProject;
let cluster: TlsCluster;

const passwords = { spellbot: "@ : / % ' \" # ? & = é", spellbot_app: "plain" };

/** The example as it is in the repository, led to a server of the test's own. */
function exampleConfig(): Record<string, unknown> {
  const { config } = parse(readFileSync(join(projectRoot, "Pulumi.prod.yaml"), "utf8")) as {
    config: Record<string, unknown>;
  };
  const keys = Object.entries(config).map(([key, value]) => [key.replace(/^pgstack:/, ""), value]);
  return Object.fromEntries(keys);
}

function configure(stack: string, changes: Record<string, unknown> = {}): void {
  const example = exampleConfig();
  const instance = {
    ...(example.instance as object),
    host: "localhost",
    port: cluster.admin.port,
    sslRootCert: cluster.authority,
  };
  project.configure(stack, { ...example, instance, ...changes });
}

async function setSecrets(stack: string): Promise<void> {
  const set = (key: string, value: string) =>
    project.pulumi("config", "set", "--secret", "--path", `pgstack:${key}`, "--stack", stack, "--", value);
  await set("adminPassword", cluster.admin.password as string);
  for (const [role, password] of Object.entries(passwords)) await set(`passwords.${role}`, password);
}

before(async () => {
  [project, cluster] = [createProject(), await startTlsCluster()];
  configure("prod");
  await done(project.pulumi("stack", "init", "prod"));
  await setSecrets("prod");
});

after(async () => {
  await project.close();
  await cluster.close();
});

test("the production example comes up on an existing server, over verified TLS", async () => {
  const output = await done(project.pgstack("up", "prod", "--yes"));
  for (const password of [cluster.admin.password as string, ...Object.values(passwords)])
    if (password !== "plain") assert.ok(!output.includes(password));
  const { urls } = (await project.outputs("prod")) as { urls: Record<string, string> };
  for (const [role, url] of Object.entries(urls)) {
    const connection = connectionFromUrl(url, {});
    assert.equal(connection.sslMode, "verify-full");
    const used = await withClient(connection, (client) =>
      client.query("SELECT ssl, current_user AS role FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
    );
    assert.deepEqual(used.rows, [{ ssl: true, role }]);
  }
  await done(project.pgstack("preview", "prod", "--expect-no-changes"));
});

test("what the configuration protects is not destroyed", async () => {
  const refused = await project.pgstack("destroy", "prod", "--yes");
  assert.equal(refused.code, 1);
  assert.match(refused.output, /protect/);
});

test("a second stack on the same server, whose certificate is given as text, does not disturb the first", async () => {
  const database = { name: "a=b ü", owner: "My-Own er" };
  const roles = [{ name: "Second Reader", access: "readonly" }];
  const certificate = readFileSync(cluster.authority, "utf8");
  const instance = {
    kind: "existing",
    host: "localhost",
    port: cluster.admin.port,
    sslRootCert: certificate,
  };
  const { adminUser } = exampleConfig().instance as { adminUser: string };
  configure("second", { instance: { ...instance, adminUser }, database, roles, protect: false });
  await done(project.pulumi("stack", "init", "second"));
  await project.pulumi(
    "config",
    "set",
    "--secret",
    "pgstack:adminPassword",
    "--stack",
    "second",
    "--",
    cluster.admin.password as string,
  );
  await done(project.pgstack("up", "second", "--yes"));
  await done(project.pgstack("preview", "prod", "--expect-no-changes"));
  const { databaseUrl, sslRootCert } = (await project.outputs("second")) as Record<string, string>;
  assert.match(databaseUrl as string, /\?sslmode=verify-full$/);
  assert.equal(sslRootCert, certificate);
  const owner: ConnectionSettings = { ...connectionFromUrl(databaseUrl as string, {}), sslRootCert };
  assert.equal(owner.user, "My-Own er");
  await withClient(owner, (client) => client.query("SELECT count(*) FROM guilds"));
  const asked = ["--", "-Atc", "SELECT count(*) FROM guilds"];
  assert.match(await done(project.pgstack("psql", "--stack", "second", ...asked)), /^0$/m);
  await done(project.pgstack("destroy", "second", "--yes"));
  const left = await withClient(cluster.superuser, (client) =>
    client.query("SELECT rolname FROM pg_roles WHERE rolname IN ('My-Own er', 'Second Reader')"),
  );
  assert.deepEqual(left.rows, []);
});

test("a wrong certificate authority is refused with the server's reason", async () => {
  configure("prod", { instance: { kind: "existing", host: "localhost", port: cluster.admin.port } });
  await setSecrets("prod");
  const outcome = await project.pgstack("up", "prod", "--yes");
  assert.equal(outcome.code, 1);
  assert.match(outcome.output, /certificate|self-signed/);
});
