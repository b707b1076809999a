// The command line on stacks: names in each spelling, consent, another project's name, two checkouts, what a killed run left.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { createProject, done, type TestProject } from "../support/project.ts";

let project: TestProject;

const database = { name: "app", owner: "app_owner" };
const reader = { name: "reader", access: "readonly" };
const local = { instance: { kind: "local" }, database, roles: [reader] };

/** A small application of another name than this repository's. */
function makeProject(): TestProject {
  const made = createProject();
  made.write("Pulumi.yaml", made.read("Pulumi.yaml").replace(/^name: .*/m, "name: shop-db"));
  for (const file of readdirSync(join(made.directory, "migrations"))) made.remove(`migrations/${file}`);
  made.write(
    "migrations/01_notes.sql",
    "-- migrate: up\nCREATE TABLE notes (id int);\n-- migrate: down\nDROP TABLE notes;\n",
  );
  made.write(
    "migrations/02_tags.sql",
    "-- migrate: up\nCREATE TABLE tags (id int);\n-- migrate: down\nDROP TABLE tags;\n",
  );
  made.configure("dev", local);
  return made;
}

const serverOf = ({ directory }: TestProject) =>
  readFileSync(join(directory, ".pgstack/dev/data/postmaster.pid"), "utf8").split("\n")[0];

before(() => {
  project = makeProject();
});

after(() => project.close());

test("two checkouts come up side by side without a port, and each keeps its own", async () => {
  await using other = makeProject();
  await done(project.pgstack("up", "--skip-preview"));
  await done(other.pgstack("up", "--skip-preview"));
  const [{ port }, { port: otherPort }] = await Promise.all([project.outputs("dev"), other.outputs("dev")]);
  assert.notEqual(port, otherPort);
  await done(other.pgstack("up", "--skip-preview"));
  assert.equal((await other.outputs("dev")).port, otherPort);
  assert.match(other.read(".pgstack/dev/instance.json"), new RegExp(`"port":${otherPort}\\b`));
});

test("a project of another name is found by every command, a second time too", async () => {
  await done(project.pgstack("up", "--skip-preview"));
  assert.match(await done(project.pgstack("status", "--stack", "dev")), /2 applied, 0 pending/);
  assert.match(await done(project.pgstack("psql", "--", "-Atc", "SELECT count(*) FROM notes")), /^0$/m);
  const dump = join(project.directory, "app.dump");
  await done(project.pgstack("dump", "--stack", "dev", "--out", dump));
  assert.ok(existsSync(dump));
});

test("a stack is the same in each spelling, and two different ones are refused", async () => {
  const spellings = [["--stack", "dev"], ["--stack=dev"], ["-s", "dev"], ["-sdev"], ["-s=dev"], ["dev"]];
  for (const words of [
    ...spellings,
    ["organization/shop-db/dev"],
    ["dev", "--stack", "organization/shop-db/dev"],
  ])
    assert.match(await done(project.pgstack("status", ...words)), /2 applied, 0 pending/, words.join(" "));
  await done(project.pgstack("preview", "organization/shop-db/dev", "--expect-no-changes"));
  for (const command of ["status", "preview", "destroy", "roles"]) {
    const two = await project.pgstack(command, "dev", "--stack", "two");
    assert.equal(two.code, 2, two.output);
    assert.match(two.stderr, /Expected one stack, found two: "(dev|two)" and "(dev|two)"/);
  }
  const foreign = await project.pgstack("up", "organization/other/dev");
  assert.equal(foreign.code, 2);
  assert.match(foreign.stderr, /a stack of the project "shop-db"/);
});

test("without a terminal any stack but dev needs --yes, however it is spelled, and dev is left alone", async () => {
  project.configure("two", { ...local, protect: false });
  const server = serverOf(project);
  const spellings = [["--stack", "two"], ["--stack=two"], ["-s", "two"], ["-stwo"], ["-fs", "two"], ["two"]];
  for (const command of ["up", "refresh", "destroy"])
    for (const words of [...spellings, ["--skip-preview", "two"], ["organization/shop-db/two"]]) {
      const outcome = await project.pgstack(command, ...words);
      assert.equal(outcome.code, 2, `${command} ${words.join(" ")}: ${outcome.output}`);
      assert.match(outcome.stderr, new RegExp(`\\./pgstack ${command} (organization/shop-db/)?two --yes`));
    }
  for (const [command, revision] of [
    ["upgrade", "01"],
    ["downgrade", "-1"],
  ] as const) {
    const outcome = await project.pgstack(command, revision, "-s", "two");
    assert.equal(outcome.code, 2, outcome.output);
    assert.match(outcome.stderr, new RegExp(`\\./pgstack ${command} ${revision} --stack two --yes`));
  }
  assert.equal((await project.pgstack("destroy", "two", "--yes=false")).code, 2);
  assert.equal(serverOf(project), server);
  assert.ok(!existsSync(join(project.directory, ".pgstack/two")));
});

test("configuration and outputs of any size reach a command", async () => {
  const many = Array.from({ length: 2500 }, (_, at) => ({
    name: `reader_${at}_${"x".repeat(40)}`,
    access: "readonly",
  }));
  project.configure("dev", { ...local, roles: many });
  assert.ok(project.read("Pulumi.dev.yaml").length > 160 * 1024);
  assert.match(await done(project.pgstack("status", "--stack", "dev")), /2 applied, 0 pending/);
  const roles = await project.pgstack("roles", "--stack", "dev", "--json");
  assert.equal(roles.code, 3, roles.stderr);
  assert.match(roles.stdout, /reader_2499_x/);
  project.configure("dev", local);
});

test("--target does what was asked and nothing else, also where a migration's file is gone", async () => {
  const text = project.read("migrations/02_tags.sql");
  project.remove("migrations/02_tags.sql");
  project.configure("dev", { ...local, roles: [{ ...reader, exclude: ["notes"] }] });
  const outcome = await project.pgstack("up", "--target", "**roles-grants");
  assert.equal(outcome.code, 0, outcome.output);
  assert.doesNotMatch(outcome.output, /This is a bug|TypeError| at /);
  assert.match(await done(project.pgstack("psql", "--", "-Atc", "SELECT count(*) FROM tags")), /^0$/m);
  project.write("migrations/02_tags.sql", text);
  project.configure("dev", local);
  await done(project.pgstack("up", "--skip-preview"));
});

/** Starts a command in a process group of its own, and waits until it prints that text. */
async function startUntil(text: string, ...args: string[]): Promise<ReturnType<TestProject["start"]>> {
  const child = project.start(...args);
  await new Promise<void>((resolve, reject) => {
    let printed = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk) => {
        printed += chunk;
        if (printed.includes(text)) resolve();
      });
    child.on("exit", () => reject(new Error(`it ended before it printed "${text}": ${printed}`)));
  });
  child.removeAllListeners("exit");
  return child;
}

test("an update that works is not taken for a dead one by a second, and both leave the state whole", async () => {
  project.write(
    "migrations/03_slow.sql",
    "-- migrate: up\nSELECT pg_sleep(20);\n-- migrate: down\nSELECT 1;\n",
  );
  const first = await startUntil("migrations updating", "up", "--skip-preview");
  const ended = new Promise((resolve) => first.once("close", resolve));
  const second = await project.pgstack("up", "--skip-preview");
  assert.equal(second.code, 1, second.output);
  assert.match(second.output, /locked/);
  assert.doesNotMatch(second.output, /taking over|clearing its lock/);
  assert.equal(await ended, 0);
  await done(project.pgstack("preview", "--expect-no-changes"));
});

test("a lock of a chosen backend stays where only host name and a missing process speak for its end", async () => {
  const settings = project.read("Pulumi.yaml");
  const shared = join(project.directory, "shared");
  mkdirSync(shared);
  project.write("Pulumi.yaml", `${settings}\nbackend:\n  url: file://${shared.replaceAll(" ", "%20")}\n`);
  const folder = "shared/.pulumi/locks/organization/shop-db/dev";
  mkdirSync(join(project.directory, folder), { recursive: true });
  const lock = {
    pid: 2 ** 22 + 1,
    username: "root",
    hostname: hostname(),
    timestamp: new Date().toISOString(),
  };
  project.write(`${folder}/live.json`, JSON.stringify(lock));
  await project.pgstack("up", "--skip-preview");
  const outcome = await project.pgstack("up", "--skip-preview");
  assert.equal(outcome.code, 1, outcome.output);
  assert.match(outcome.output, /currently locked by 1 lock/);
  assert.ok(existsSync(join(project.directory, folder, "live.json")));
  project.write("Pulumi.yaml", settings);
});

test("a destroy that is killed while the instance goes is ended by the next up", async () => {
  const child = await startUntil("instance-local deleting", "destroy", "--skip-preview");
  const ended = new Promise((resolve) => child.once("close", resolve));
  process.kill(-(child.pid as number), "SIGKILL");
  child.stdout?.destroy();
  child.stderr?.destroy();
  await ended;
  const outcome = await project.pgstack("up", "--skip-preview");
  assert.equal(outcome.code, 0, outcome.output);
  if (/cut off/.test(outcome.stderr))
    assert.match(outcome.stderr, /the removal of the local instance of stack dev was cut off; ending it/);
  assert.match(await done(project.pgstack("status", "dev")), /3 applied, 0 pending/);
  await done(project.pgstack("preview", "--expect-no-changes"));
});

async function asAdmin(sql: string): Promise<void> {
  const { admin } = (await project.outputs("dev")) as { admin: Parameters<typeof withClient>[0] };
  await withClient(admin, (client) => client.query(sql));
}

test("a database that was dropped by hand is made again on a local instance alone; elsewhere it is said", async () => {
  const { admin } = (await project.outputs("dev")) as { admin: { port: number; password: string } };
  const instance = { kind: "existing", host: "127.0.0.1", port: admin.port, sslMode: "disable" };
  project.configure("away", { instance, database: { name: "away", owner: "away_owner" }, protect: false });
  await done(project.pulumi("stack", "init", "away"));
  await done(
    project.pulumi("config", "set", "--secret", "-s", "away", "--", "pgstack:adminPassword", admin.password),
  );
  await done(project.pgstack("up", "away", "--yes", "--skip-preview"));
  await asAdmin("DROP DATABASE away");
  const refused = await project.pgstack("up", "away", "--yes", "--skip-preview");
  assert.equal(refused.code, 1, refused.output);
  assert.match(refused.stderr, /The database "away" on 127\.0\.0\.1 is gone.*\.\/pgstack refresh away/s);
  await assert.rejects(asAdmin("ALTER DATABASE away CONNECTION LIMIT 5"), /does not exist/);
  await done(project.pgstack("refresh", "away", "--yes", "--skip-preview"));
  await done(project.pgstack("up", "away", "--yes", "--skip-preview"));
  await asAdmin("DROP DATABASE app");
  assert.match(
    await done(project.pgstack("up", "--skip-preview")),
    /dropped behind its back; making it again/,
  );
});

test("what a stack protects is refused before anything goes, without a preview too", async () => {
  const protect = (value: string) => project.pulumi("config", "set", "pgstack:protect", value, "-s", "away");
  await done(protect("true"));
  await done(project.pgstack("up", "away", "--yes", "--skip-preview"));
  for (const words of [["--yes", "--skip-preview"], ["-fy"]]) {
    const refused = await project.pgstack("destroy", "away", ...words);
    assert.equal(refused.code, 1, refused.output);
    assert.match(refused.stderr, /Stack "away" protects .*: nothing was removed/);
  }
  await asAdmin("ALTER ROLE away_owner CONNECTION LIMIT 5");
  await done(protect("false"));
  await done(project.pgstack("up", "away", "--yes", "--skip-preview"));
  await done(project.pgstack("destroy", "away", "--yes", "--skip-preview"));
});

test("plain pulumi under a Node that runs no TypeScript says which Node it needs", async (t) => {
  const node = "/usr/bin/node";
  const version = await new Promise<string>((resolve) => {
    execFile(node, ["--version"], (_, stdout) => resolve(stdout.trim()));
  });
  if (!/^v(1\d|2[01])\./.test(version)) return t.skip(`no old Node in ${node}`);
  const { output } = await project.shell('PATH="/usr/bin:$PATH" exec pulumi preview --stack dev');
  assert.match(output, new RegExp(`Expected Node 22\\.18 or newer, found ${version.slice(1)}`));
  assert.doesNotMatch(output, /ERR_UNKNOWN_FILE_EXTENSION|^ +at /m);
});

test("adopt without a password is refused, and nothing is made", async () => {
  const { admin } = (await project.outputs("dev")) as { admin: { port: number } };
  const url = `postgres://postgres@127.0.0.1:${admin.port}/app`;
  const refused = await project.pgstack("adopt", "--url", url, "--stack", "taken");
  assert.equal(refused.code, 2, refused.output);
  assert.match(refused.stderr, /the administrator's password in --url or in PGPASSWORD/);
  assert.ok(!existsSync(join(project.directory, "Pulumi.taken.yaml")));
  assert.doesNotMatch((await project.pulumi("stack", "ls")).output, /taken/);
});

test("repair takes the beginning of a name", async () => {
  const { databaseUrl } = (await project.outputs("dev")) as { databaseUrl: string };
  assert.ok(connectionFromUrl(databaseUrl, {}).password);
  project.write(
    "migrations/02_tags.sql",
    "-- migrate: up\nCREATE TABLE tags (id int); -- more\n-- migrate: down\nDROP TABLE tags;\n",
  );
  const shown = await project.pgstack("repair", "02", "dev");
  assert.equal(shown.code, 2, shown.output);
  assert.match(shown.stderr, /02_tags\.sql, as applied/);
  assert.match(
    await done(project.pgstack("repair", "02", "--stack", "dev", "--yes")),
    /accepted the present text of 02_tags/,
  );
  const unknown = await project.pgstack("repair", "07", "--stack", "dev");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /There is no revision "07"/);
});
