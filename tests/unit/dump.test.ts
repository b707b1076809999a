import assert from "node:assert/strict";
import { test } from "node:test";
import { flagValue } from "../../runner/cli/flag-value.ts";
import { formatAge } from "../../runner/commands/backups.ts";
import { Dump } from "../../runner/config/dump.ts";
import { ArchiveParser } from "../../runner/dump/archive/parser.ts";
import { RowCounter } from "../../runner/dump/archive/read-whole.ts";
import { compressArgument, dumpArguments, jobsOf } from "../../runner/dump/options.ts";
import { formatBytes, progressLine, tablesDone } from "../../runner/dump/progress.ts";
import { readPattern } from "../../runner/dump/table-patterns.ts";
import { pgDumpFor } from "../../runner/postgres/programs.ts";

const script = Buffer.from(
  [
    "-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)",
    "-- Dumped by pg_dump version 16.2",
    "SET client_encoding = 'UTF8';",
    "--",
    "-- TOC entry 220 (class 1259 OID 16531)",
    "-- Dependencies: 8",
    "-- Name: odd; name; Type: TABLE; Schema: My App; Owner: -; Tablespace: fast",
    "-- Data Pos: 0",
    "--",
    "",
    'CREATE TABLE "My App"."odd; name" (',
    "    id integer",
    ");",
    "",
    "--",
    "-- TOC entry 3485 (class 0 OID 16531)",
    "-- Dependencies: 220",
    "-- Data for Name: odd; name; Type: TABLE DATA; Schema: My App; Owner: -",
    "-- Data Pos: 3000",
    "--",
    "",
    'COPY "My App"."odd; name" (id) FROM stdin;',
    "1",
    "\\\\.",
    "-- TOC entry 9 (class 1 OID 1)",
    "\\.x",
    "\\.",
    "",
    "--",
    "-- TOC entry 3486 (class 0 OID 16532)",
    "-- Data for Name: none; Type: TABLE DATA; Schema: public; Owner: -",
    "--",
    "",
    "COPY public.none (id) FROM stdin;",
    "\\.",
    "",
    "--",
    "-- TOC entry 3 (class 3079 OID 16513)",
    "-- Name: hstore; Type: EXTENSION; Schema: -; Owner: -",
    "--",
    "CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;",
    "",
  ].join("\n"),
);

function parse(text: Buffer, chunkBytes: number) {
  const parser = new ArchiveParser();
  for (let from = 0; from < text.length; from += chunkBytes)
    parser.push(text.subarray(from, from + chunkBytes));
  return parser.finish();
}

test("a dump is read the same, whatever pieces it comes in", () => {
  const whole = parse(script, script.length);
  for (let bytes = 1; bytes < 40; bytes++) assert.deepEqual(parse(script, bytes), whole);
});

test("a dump's objects, rows, versions and encoding are read", () => {
  const { archive, complete } = parse(script, 7);
  assert.ok(complete);
  assert.deepEqual(
    [archive.serverVersion, archive.programVersion, archive.encoding],
    ["15.18", "16.2", "UTF8"],
  );
  assert.deepEqual(
    archive.entries.map(({ id, type, schema, name, tablespace, rows }) => [
      id,
      type,
      schema,
      name,
      tablespace,
      rows,
    ]),
    [
      [220, "TABLE", "My App", "odd; name", "fast", 0],
      [3485, "TABLE DATA", "My App", "odd; name", null, 4],
      [3486, "TABLE DATA", "public", "none", null, 0],
      [3, "EXTENSION", null, "hstore", null, 0],
    ],
  );
  assert.match(archive.entries[0]?.definition ?? "", /^CREATE TABLE[\s\S]*\);$/);
});

test("rows without an end make a dump incomplete", () => {
  const end = script.indexOf("\n\\.x");
  assert.equal(parse(script.subarray(0, end), 16).complete, false);
});

test("rows in an uncompressed directory are counted, whatever pieces they come in", () => {
  const count = (text: string, bytes: number) => {
    const counter = new RowCounter();
    for (let from = 0; from < text.length; from += bytes)
      counter.push(Buffer.from(text).subarray(from, from + bytes));
    return counter.rows;
  };
  for (const bytes of [1, 3, 7, 1000]) {
    assert.equal(count("1\tone\n\\\\.\n3\tthree\n\\.\n\n\n", bytes), 3);
    assert.equal(count("\\.\n\n\n", bytes), 0);
    assert.equal(count("1\tone\n2\ttw", bytes), undefined);
    assert.equal(count("1\tone\n", bytes), undefined);
    assert.equal(count("", bytes), undefined);
  }
});

test("half of the cores are used, at least one, and all where max is asked for", () => {
  assert.deepEqual(
    [jobsOf("auto", 1), jobsOf("auto", 2), jobsOf("auto", 8), jobsOf("max", 8), jobsOf(3, 1)],
    [1, 1, 4, 8, 3],
  );
  for (const [flag, right, wrong] of [
    ["jobs", "256", "0"],
    ["format", "directory", "plain"],
    ["compression", "gzip:9", "gzip:10"],
  ] as const) {
    assert.equal(String(flagValue(Dump.entries[flag], { flags: { [flag]: right } }, flag)), right);
    assert.throws(
      () => flagValue(Dump.entries[flag], { flags: { [flag]: wrong } }, flag),
      new RegExp(`Expected after --${flag} .*, found "${wrong}"`),
    );
  }
});

const programs = (major: number) => ({ directory: "/", major, version: `${major}.1` });

test("compression is asked for as each version of pg_dump takes it", () => {
  assert.equal(compressArgument("none", programs(15)), "--compress=0");
  assert.equal(compressArgument("gzip:3", programs(15)), "--compress=3");
  assert.equal(compressArgument("gzip:3", programs(16)), "--compress=gzip:3");
  assert.throws(() => compressArgument("zstd", programs(15)), /needs pg_dump 16 or newer; found 15\.1/);
});

test("a server that is newer than every pg_dump is refused with both versions", async () => {
  await assert.rejects(
    pgDumpFor({ version: "99.1", major: 99 }),
    /PostgreSQL 99\.1 and the newest pg_dump here is \d+/,
  );
});

test("choices pass through to pg_dump, and jobs only where it takes them", () => {
  const options = {
    ...{ format: "custom" as const, jobs: 4, compression: "gzip:1", schemaOnly: true },
    ...{ tables: ["a.*"], excludeTableData: ["log"] },
  };
  const args = dumpArguments(options, programs(17), "/x");
  for (const expected of ["--schema-only", "--table=a.*", "--exclude-table-data=log", "--file=/x"])
    assert.ok(args.includes(expected), expected);
  assert.ok(!args.some((arg) => arg.startsWith("--jobs")));
  assert.ok(dumpArguments({ ...options, format: "directory" }, programs(17), "/x").includes("--jobs=4"));
});

test("a pattern is read as psql reads it", () => {
  const read = (pattern: string) => Object.values(readPattern(pattern)).reverse();
  assert.deepEqual(read("Users"), [undefined, "^(users)$"]);
  assert.deepEqual(read('"UPPER"."P.a""y"'), ["^(UPPER)$", '^(P\\.a"y)$']);
  assert.deepEqual(read("app.log_?*"), ["^(app)$", "^(log_..*)$"]);
  assert.deepEqual(read('db."S*".t$1'), ["^(S\\*)$", "^(t\\$1)$"]);
  assert.deepEqual(read("(pay|nobody)"), [undefined, "^((pay|nobody))$"]);
});

test("sizes, progress and ages read well", () => {
  assert.deepEqual([0, 999, 1_500_000_000].map(formatBytes), ["0 B", "999 B", "1.50 GB"]);
  assert.equal(
    progressLine("dump", { done: 12, total: 40, bytes: 512e6 }, 6),
    "dump: 12 of 40 tables, 512 MB, 85.3 MB/s",
  );
  const half = { done: 12, total: 40, bytes: 512e6, fraction: 0.5 };
  assert.equal(
    progressLine("dump", half, 90),
    "dump: [██████████          ] 50 %, 12 of 40 tables, 512 MB, 5.69 MB/s, 90 s left",
  );
  assert.match(progressLine("restore", { ...half, fraction: 0.25 }, 600), / 30 min left$/);
  assert.doesNotMatch(progressLine("restore", { ...half, fraction: 0.01 }, 600), /left/);
  const weights = { "public.a": 60, "public.b": 30, "public.c": 10 };
  assert.deepEqual(tablesDone(["public.a", "public.b"], weights, 1), { done: 1, fraction: 0.6 });
  assert.deepEqual(tablesDone([], weights, 2), { done: 0, fraction: 0 });
  assert.deepEqual(tablesDone([], {}, 1), { done: 0, fraction: undefined });
  const now = Date.parse("2027-01-31T00:00:00Z");
  assert.deepEqual(
    ["2027-01-30T23:50:00Z", "2027-01-30T12:00:00Z", "2027-01-01T00:00:00Z"].map((at) => formatAge(at, now)),
    ["10 min", "12 h", "30 d"],
  );
});
