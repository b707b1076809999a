import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import pg from "pg";
import { prune, stackReports, verify } from "../../runner/dump/backups.ts";
import { runCommand, runShell, scriptOf, sql, urlOf } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

/** Names that PostgreSQL takes and that have a meaning elsewhere: in SQL, in a dump's own lines, in a shell, in a URL. */
const oddNames = [
  ...[
    'we"ird; Type',
    "x'y",
    "ünï 漢字",
    "n".repeat(63),
    "--",
    " around ",
    "tab\there",
    "back\\slash",
    "%s $1",
  ],
  ...["COPY x FROM stdin;", "-- TOC entry 1 (class 1 OID 1)", "Owner: -; Tablespace: q"],
];
const oddRole = "the \"owner' ü";
const oddDatabases = ["postgres://x", "a=b", "Ünï 'db\""];

let cluster: ThrowawayCluster;
let folder: string;

const quote = pg.escapeIdentifier;
const on = (database: string) => ({ ...cluster.admin, database });
const urlOn = (database: string) => urlOf(cluster, database);

before(async () => {
  cluster = await startThrowawayCluster();
  folder = mkdtempSync(join(tmpdir(), 'pgstack it\'s a "folder" ü '));
  await sql(cluster.admin, `CREATE ROLE ${quote(oddRole)}`);
  for (const name of ["source", ...oddDatabases]) await sql(cluster.admin, `CREATE DATABASE ${quote(name)}`);
  for (const name of oddNames.map(quote))
    await sql(
      on("source"),
      `CREATE SCHEMA ${name};
      CREATE TABLE ${name}.${name} (${name} int PRIMARY KEY, "b c" text);
      INSERT INTO ${name}.${name} SELECT g, 'x' FROM generate_series(1, 3) g;
      CREATE VIEW ${name}.v AS SELECT * FROM ${name}.${name};
      CREATE INDEX ON ${name}.${name} ("b c");
      CREATE FUNCTION ${name}.${name}(${name} int) RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    );
});

after(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

test("odd names of files, databases, roles, schemas, tables and functions come through, and are known again", async () => {
  const dump = join(folder, "source");
  const made = await runCommand(["dump", "--url", urlOn("source"), "--out", dump, "--json"]);
  assert.equal(JSON.parse(made.stdout).rows, 3 * oddNames.length, made.stderr);
  for (const name of oddDatabases) {
    const restore = ["restore", dump, "--url", urlOn(name), "--owner", oddRole, "--jobs", "2"];
    const restored = await runCommand(restore);
    assert.equal(restored.code, 0, restored.stderr);
    const [source, copy] = await Promise.all(["source", name].map((one) => scriptOf(cluster, on(one))));
    assert.equal(copy, source);
    const refused = await runCommand(restore);
    assert.equal(refused.code, 2);
    const lost = refused.stderr.split("\n").filter((line) => line.startsWith("  "));
    assert.deepEqual(
      lost.filter((line) => !line.startsWith("  rows of ")),
      [],
    );
    assert.equal(lost.length, oddNames.length);
  }
});

test("a path that looks like a flag is a path", async () => {
  const place = join(folder, "dash");
  mkdirSync(place);
  const main = join(import.meta.dirname, "..", "..", "runner", "main.ts");
  const line = `cd "$PLACE" && "$NODE" "$MAIN" dump --url "$FROM" --out=-x && "$NODE" "$MAIN" restore --url "$TO" --owner "$OWNER" --overwrite -- -x`;
  const { code, stderr } = await runShell(line, {
    ...{ PLACE: place, NODE: process.execPath, MAIN: main, OWNER: oddRole },
    ...{ FROM: urlOn("source"), TO: urlOn("a=b") },
  });
  assert.equal(code, 0, stderr);
  assert.deepEqual(readdirSync(place), ["-x", "-x.json"]);
});

test("a dump whose output nobody reads any more, or whose streams are closed, is made all the same", async () => {
  const ends = { nobody: "2>&1 | true", "no errors": "2>&-", closed: "<&- >&- 2>&-" };
  for (const [name, end] of Object.entries(ends)) {
    const line = `{ "$NODE" runner/main.ts dump --url "$FROM" --out "$OUT"; echo $? >"$CODE"; } ${end}; until [ -s "$CODE" ]; do sleep 0.1; done`;
    const [out, code] = [join(folder, name), join(folder, `${name}.code`)];
    await runShell(line, { NODE: process.execPath, FROM: urlOn("source"), OUT: out, CODE: code });
    assert.equal(readFileSync(code, "utf8"), "0\n", name);
    assert.ok(readdirSync(folder).includes(`${name}.json`));
  }
});

test("of two dumps to one name at once, one is kept and the other says that it exists", async () => {
  const dump = () => runCommand(["dump", "--url", urlOn("source"), "--out", join(folder, "same"), "--json"]);
  const [one, other] = (await Promise.all([dump(), dump()])).sort((a, b) => Number(a.code) - Number(b.code));
  assert.deepEqual([one?.code, other?.code], [0, 2], other?.stderr);
  assert.match(other?.stderr ?? "", /exists/);
  const report = JSON.parse(readFileSync(join(folder, "same.json"), "utf8"));
  assert.equal(report.sha256, JSON.parse(one?.stdout ?? "").sha256);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("same")),
    ["same", "same.json"],
  );
});

test("broken files among a stack's dumps are told apart, and do not count as kept", async () => {
  const directory = join(folder, "dumps");
  mkdirSync(directory);
  const labels = ["a", "b", "c", "d", "e"];
  const report = JSON.parse(readFileSync(join(folder, "same.json"), "utf8"));
  for (const [index, label] of labels.entries()) {
    const path = join(directory, `dev-${label}.dump`);
    writeFileSync(path, readFileSync(join(folder, "same")));
    const createdAt = `2024-01-0${index + 1}T00:00:00Z`;
    writeFileSync(`${path}.json`, JSON.stringify({ ...report, path, label, createdAt, stack: "dev" }));
  }
  truncateSync(join(directory, "dev-d.dump"), 100);
  rmSync(join(directory, "dev-c.dump"));
  for (const [name, text] of Object.entries({ half: '{"sha256": "', null: "null", other: "{}" }))
    writeFileSync(join(directory, `${name}.json`), text);
  writeFileSync(join(directory, "undated.json"), JSON.stringify({ ...report, stack: "dev", createdAt: "?" }));
  mkdirSync(join(directory, "folder.json"));
  const states = async () => {
    const found = await stackReports(directory, "dev");
    return Promise.all(found.map(async (one) => `${one.report.label} ${await verify(one)}`));
  };
  assert.deepEqual(await states(), ["e verified", "d damaged", "c missing", "b verified", "a verified"]);
  assert.deepEqual(await prune(directory, "dev", 2), [join(directory, "dev-a.dump")]);
  assert.deepEqual(await states(), ["e verified", "d damaged", "c missing", "b verified"]);
  await assert.rejects(stackReports(join(directory, "dev-b.dump"), "dev"), /cannot be listed: ENOTDIR/);
});
