import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { withClient } from "../../runner/postgres/connection.ts";
import { serverProcess } from "../../runner/postgres/pid-file.ts";
import { projectPath } from "../../runner/util/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";
import { runs, until } from "../support/wait.ts";

let cluster: ThrowawayCluster;
let root: string;
before(async () => {
  cluster = await startThrowawayCluster();
  root = mkdtempSync(join(tmpdir(), "pgstack-revision-"));
  await withClient(cluster.superuser, (client) =>
    client.query(
      "CREATE TABLE t (id int PRIMARY KEY, email text); CREATE ROLE looker LOGIN PASSWORD 'secret'",
    ),
  );
});
after(async () => {
  await cluster?.close();
  rmSync(root, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function startRevision(...args: string[]): { process: ChildProcess; outcome: Promise<Outcome> } {
  const words = [projectPath("runner/main.ts"), "revision", ...args];
  const places = ["--models", join(root, "models"), "--directory", join(root, "migrations")];
  const env = { ...process.env, PGPORT: "1" }; // the user's own server is no concern of the scratch server's
  const { promise: outcome, resolve } = Promise.withResolvers<Outcome>();
  const child = execFile(process.execPath, [...words, ...places], { env }, (error, out, err) =>
    resolve({ code: error === null ? 0 : Number(error.code), out, err }),
  );
  return { process: child, outcome };
}

const revision = (...args: string[]) => startRevision(...args).outcome;

function models(name: string, text: string): void {
  rmSync(join(root, "models"), { recursive: true, force: true });
  mkdirSync(join(root, "models"), { recursive: true });
  writeFileSync(join(root, "models", name), text);
}

const url = (user = "postgres", password = cluster.admin.password) =>
  `postgres://${user}:${password}@127.0.0.1:${cluster.admin.port}/postgres`;

/** The folder of the scratch server that a running revision has started, from the arguments of what guards it. */
function scratchFolderOf(revision: number | undefined): string | undefined {
  const { stdout } = spawnSync("ps", ["--ppid", `${revision}`, "-o", "args="], { encoding: "utf8" });
  return /\S*pgstack-scratch-[0-9a-f]+/.exec(stdout)?.[0];
}

test("a user without any right gets a file for people, and nothing is left of the scratch server", async () => {
  models("a.sql", "CREATE TABLE t (id int PRIMARY KEY, mail text);");
  const running = startRevision("Add größe & more!", "--url", url("looker", "secret"));
  const folder = await until(() => scratchFolderOf(running.process.pid));
  const { code, out, err } = await running.outcome;
  assert.equal(code, 0, err);
  assert.match(out, /migrations\/\d{14}_add_große_more\.sql\n$/);
  assert.match(
    err,
    /public\.t\.email and public\.t\.mail look alike: --rename public\.t\.email=mail would keep the data/,
  );
  const text = readFileSync(out.trim(), "utf8");
  assert.match(
    text,
    /^-- migrate: up$[\s\S]*^-- DATA LOSS: column public\.t\.email$[\s\S]*^-- migrate: down$/m,
  );
  assert.ok(!existsSync(folder));
});

test("--check prints each difference, writes nothing and ends with 3; without differences with 0", async () => {
  models("a.sql", "CREATE TABLE t (id int PRIMARY KEY, email text, n int);");
  const found = await revision("--check", "--url", url());
  assert.deepEqual([found.code, found.out], [3, "column public.t.n is missing\n"]);
  models("a.sql", "CREATE TABLE t (id int PRIMARY KEY, email text);");
  assert.equal((await revision("--check", "--url", url())).code, 0);
  const same = await revision("nothing", "--url", url());
  assert.deepEqual([same.code, same.out], [0, ""]);
  assert.match(same.err, /do not differ/);
});

test("--from migrations needs no database, though migrations name it and its roles, and the models may come from a command", async () => {
  rmSync(join(root, "migrations"), { recursive: true, force: true });
  mkdirSync(join(root, "migrations"));
  writeFileSync(
    join(root, "migrations", "20300101000000_a.sql"),
    "-- migrate: up\nCREATE TABLE a (id int);\nGRANT SELECT ON a TO somebody;\nALTER DATABASE shop_prod SET work_mem = '8MB';\nGRANT CONNECT ON DATABASE shop_prod TO somebody;\nALTER ROLE somebody IN DATABASE shop_prod SET work_mem = '9MB';\n-- migrate: down\nDROP TABLE a;\n",
  );
  models("models.json", JSON.stringify({ command: "echo 'CREATE TABLE a (id int, b int);'" }));
  const { code, out, err } = await revision("b", "--from", "migrations", "--json");
  assert.equal(code, 0, err);
  const { files } = JSON.parse(out) as { files: string[] };
  assert.match(files.join(), /20300101000001_b\.sql$/);
  assert.match(readFileSync(files[0] ?? "", "utf8"), /ADD COLUMN b integer/);
});

test("--scratch-url takes databases of a server that is there, and drops them", async () => {
  models("a.sql", "CREATE TABLE t (id int PRIMARY KEY, email text, n int);");
  const { code, err } = await revision("n", "--url", url(), "--scratch-url", url());
  assert.equal(code, 0, err);
  const left = await withClient(cluster.superuser, (client) =>
    client.query("SELECT FROM pg_database WHERE datname LIKE 'pgstack%'"),
  );
  assert.equal(left.rowCount, 0);
});

test("models that do not load are refused with file, line and PostgreSQL's message", async () => {
  models("a.sql", "CREATE TABLE t (id int);\n\nCREATE TABLE u (id nosuch);\n");
  const { code, err } = await revision("x", "--url", url());
  assert.equal(code, 1);
  assert.match(err, /models\/a\.sql:3: type "nosuch" does not exist/);
});

const server = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w";
const mapping = (who: string, password: string) =>
  `CREATE USER MAPPING FOR ${who} SERVER s OPTIONS (password '${password}')`;
const table = "CREATE TABLE t (id int PRIMARY KEY, email text)";

async function onDatabase(sql: string): Promise<void> {
  await withClient(cluster.superuser, (client) => client.query(sql));
}

test("what a revision does not write is reported, never passed over", async () => {
  await onDatabase(`${server}; ${mapping("PUBLIC", "p")}; ${mapping("looker", "q")}`);
  await onDatabase("CREATE SUBSCRIPTION sub CONNECTION '' PUBLICATION p WITH (connect = false)");
  models("a.sql", `${table}; ${server}; ${mapping("PUBLIC", "r")}; ${mapping("postgres", "p")}`);
  const { code, out, err } = await revision("--check", "--url", url());
  assert.equal(code, 3, err);
  assert.deepEqual(out.trim().split("\n").sort(), [
    "unexpected subscription sub: no migration is written for it",
    "unexpected user mapping for looker on server s: no migration is written for it",
    "user mapping for postgres on server s is missing: no migration is written for it",
    "user mapping for public on server s differs: no migration is written for it",
  ]);
  models("a.sql", `${table}; ${server}; ${mapping("PUBLIC", "p")}`);
  const ignored = await revision("--check", "--url", url(), "--ignore", "s.looker", "--ignore", "sub");
  assert.deepEqual([ignored.code, ignored.out], [0, ""], ignored.err);
  await onDatabase("DROP FOREIGN DATA WRAPPER w CASCADE; ALTER SUBSCRIPTION sub SET (slot_name = NONE)");
  await onDatabase("DROP SUBSCRIPTION sub");
});

test("a kind of object that no revision carries is named", async () => {
  await onDatabase(`CREATE TYPE odd; CREATE FUNCTION odd_in(cstring) RETURNS odd LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
    CREATE FUNCTION odd_out(odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out'; CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out, LIKE = int4)`);
  models("a.sql", table);
  const alone = await revision("x", "--url", url());
  assert.equal(alone.code, 3);
  assert.match(alone.err, /unexpected type public\.odd: no migration is written for it/);
  await onDatabase("CREATE TABLE odds (o odd)");
  const { code, err } = await revision("x", "--url", url());
  assert.equal(code, 3);
  assert.match(err, /cannot be written: without what no revision carries.*\n {2}type public\.odd$/m);
  await onDatabase("DROP TABLE odds; DROP TYPE odd CASCADE");
});

test("--rename keeps what is in a schema, a table that moves to another one, and an enum value", async () => {
  const renames = ["app=shop", "t=crm.people", "t.email=mail", "app.e.c=d e"].flatMap((one) => [
    "--rename",
    one,
  ]);
  await onDatabase(
    "CREATE SCHEMA app; CREATE TYPE app.e AS ENUM ('c'); CREATE TABLE app.a (id serial, e app.e)",
  );
  models(
    "a.sql",
    "CREATE SCHEMA crm; CREATE TABLE crm.people (id int PRIMARY KEY, mail text); CREATE SCHEMA shop; CREATE TYPE shop.e AS ENUM ('d e'); CREATE TABLE shop.a (id serial, e shop.e)",
  );
  const { code, out, err } = await revision("moves", "--url", url(), ...renames);
  assert.equal(code, 0, err);
  const text = readFileSync(out.trim(), "utf8");
  assert.match(
    text,
    /ALTER SCHEMA app RENAME TO shop;[\s\S]*SET SCHEMA crm;[\s\S]*RENAME VALUE 'c' TO 'd e';/,
  );
  assert.doesNotMatch(text.split("-- migrate: down")[0] ?? "", /DATA LOSS|DROP/);
  const wrong = await revision("x", "--url", url(), "--rename", "nosuch=t");
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--rename nosuch=…: expected one .*, found nothing/);
  const misspelt = await revision("x", "--url", url(), "--rename", "app.a=shop.aa");
  assert.equal(misspelt.code, 2);
  assert.match(misspelt.err, /expected a table shop\.aa in the models, found none/);
  await onDatabase("DROP SCHEMA app CASCADE");
});

test("a revision that is killed leaves no server and no folder, whenever that is", async () => {
  models("a.sql", "SELECT pg_sleep(60)");
  for (const moment of ["started", "running"]) {
    const { process: child, outcome } = startRevision("x", "--url", url());
    const directory = await until(() => scratchFolderOf(child.pid));
    const server = await until(() => moment === "started" || serverProcess({ directory }));
    child.kill("SIGKILL");
    await outcome;
    await until(() => !existsSync(directory) && !(typeof server === "number" && runs(server)));
  }
});
