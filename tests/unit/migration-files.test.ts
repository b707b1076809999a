import assert from "node:assert/strict";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { decode } from "../../runner/migrations/files/checksum.ts";
import { readMigrations } from "../../runner/migrations/files/directory.ts";
import { readScript } from "../../runner/migrations/files/script.ts";
import { parseSqlFile } from "../../runner/migrations/files/sql-file.ts";
import { parseStatements } from "../../runner/migrations/lint/parse.ts";
import { RefusedError } from "../../runner/util/errors.ts";

const parse = (text: string) => parseSqlFile(text, "1_x", "migrations/1_x.sql");
const whole = (up: string, down = "SELECT 1;") => `-- migrate: up\n${up}\n-- migrate: down\n${down}\n`;

async function withFiles(
  files: Record<string, string | Buffer>,
  use: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-files-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    await use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("line ends, a byte order mark and trailing blanks do not make a migration edited", () => {
  const plain = whole("CREATE TABLE a (id int);\nSELECT 1;");
  const variants = [
    plain.replaceAll("\n", "\r\n"),
    `\uFEFF${plain}`,
    plain.replaceAll("\n", "  \t\n"),
    `\n\n${plain}\n\n`,
  ];
  for (const variant of variants)
    assert.equal(parse(decode(Buffer.from(variant), "x")).checksum, parse(plain).checksum);
  assert.notEqual(parse(whole("CREATE TABLE a (id bigint);\nSELECT 1;")).checksum, parse(plain).checksum);
});

test("a file in another encoding is refused with the offset", () => {
  assert.throws(
    () => decode(Buffer.from("\uFEFFSELECT", "utf16le"), "f"),
    /^RefusedError: f: offset 0: the file is UTF-16/,
  );
  assert.throws(() => decode(Buffer.from("ab\0c"), "f"), /f: offset 2: a NUL/);
  assert.throws(
    () => decode(Buffer.from([0xc3, 0xa9, 0x61, 0xe9, 0x62]), "f"),
    /f: offset 3: a byte that is not UTF-8/,
  );
});

test("a wrong file is refused with file and line", () => {
  const cases: [string, RegExp][] = [
    ["", /:1: nothing to run: the file holds no statement, and the line "-- migrate: up" is missing/],
    ["-- only a comment\n", /:1: nothing to run/],
    ["SELECT 1;", /:1: the line "-- migrate: up" is missing/],
    [whole("-- only a comment"), /:1: nothing to run: the up script/],
    [whole("SELECT 1;", ""), /:3: nothing to run: the down script.*irreversible/],
    ["-- migrate: up\nSELECT 1;\n", /:3: the line "-- migrate: down" is missing/],
    ["-- migrate: down\nSELECT 1;\n-- migrate: up\nSELECT 1;", /:1: "-- migrate: down" comes before/],
    ["-- migrate: up\nSELECT 1;\n-- migrate: up\nSELECT 1;", /:3: a second "-- migrate: up"/],
    [`${whole("SELECT 1;")}-- migrate: down\n`, /:5: a second "-- migrate: down"/],
    ["SELECT 0;\n-- migrate: up\nSELECT 1;\n-- migrate: down irreversible", /:1: SQL before/],
    ["-- migrate: up\nSELECT 1;\n-- migrate: down irreversible\nSELECT 1", /:4: an irreversible down/],
    [
      "-- migrate: up lock_timeout=fast\nSELECT 1;\n-- migrate: down irreversible",
      /:1: unknown option "lock_timeout=fast"/,
    ],
    [
      "-- migrate: up irreversible\nSELECT 1;\n-- migrate: down irreversible",
      /:1: unknown option "irreversible"/,
    ],
    [
      "-- migrate: sideways\nSELECT 1;",
      /:1: expected "-- migrate: up" or "-- migrate: down", found "sideways"/,
    ],
    [whole("SELECT 1;\n\\d games"), /:3: "\\d" is a command of psql/],
    [whole("SELECT 1;\nCOMMIT;\nSELECT 2;"), /:3: COMMIT: a migration runs in one transaction/],
    [whole("SELECT 1;\n\nSELECT 'abc;"), /:4: this string is never closed/],
    [whole("COPY a FROM stdin;\n1\n"), /:2: the rows of this COPY are not closed/],
  ];
  for (const [text, expected] of cases) assert.throws(() => parse(text), expected, text);
});

test("markers in strings, dollar quotes, comments and rows of COPY do not count", () => {
  const up = [
    "SELECT '\n-- migrate: down\n', E'\\'\n-- migrate: down\n', \"a\n-- migrate: down\n\";",
    "/*\n-- migrate: down\n/* nested */\n*/",
    "DO $x$ BEGIN PERFORM '\n-- migrate: down\n'; END $x$;",
    "COPY a FROM stdin;\n-- migrate: down\n\\.",
  ].join("\n");
  assert.equal(parse(whole(up)).up, `-- migrate: up\n${up}`);
});

test("options follow the marker", () => {
  const { up, down } = parse(
    "-- migrate: up transaction=off lock_timeout=2s statement_timeout=1min\nSELECT 1\n-- migrate: down irreversible",
  );
  const { options } = readScript(up, { label: "f", firstLine: 1 });
  assert.deepEqual(options, { transaction: false, lockTimeout: 2000, statementTimeout: 60_000 });
  assert.equal(down, null);
});

test("a script is split where PostgreSQL would split it", async () => {
  const hard = [
    "DO $x$ BEGIN PERFORM ';'; END $x$",
    "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN EXECUTE $_$ SELECT ';'; $_$; END $f$",
    "SELECT E'\\';', ';', \"a;b\" FROM (VALUES (';')) AS x (\"a;b\") /* ; /* nested; */ ; */",
    "CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END",
    "CREATE INDEX CONCURRENTLY ü_idx ON t (x)",
    "SELECT $1$;$1$ -- ; not here",
  ];
  for (const one of hard) {
    const script = readScript(`SELECT 1;\n${one}\n;SELECT 3`, { label: "f", firstLine: 1 });
    const parsed = await parseStatements(script.text, script.statements).catch((error: Error) => error);
    const expected = one.startsWith("SELECT $1$") ? "error" : 3;
    assert.equal(parsed instanceof Error ? "error" : parsed.length, expected, one);
    if (expected === 3) assert.equal(script.statements.length, 3, one);
  }
});

test("migrations are ordered by the number of the revision, in any locale", async () => {
  const script = whole("SELECT 1;");
  await withFiles(
    { "10_a.sql": script, "9_b.sql": script, "11-c.sql": script, "12.d.sql": script, "README.md": "" },
    async (directory) => {
      assert.deepEqual(
        (await readMigrations(directory)).map(({ name }) => name),
        ["9_b", "10_a", "11-c", "12.d"],
      );
    },
  );
});

test("two files of one revision, and names without one, are refused together with every other fault", async () => {
  await withFiles(
    {
      "1_a.sql": whole("SELECT 1;"),
      "01_b.sql": whole("SELECT 1;"),
      "init.sql": whole("SELECT 1;"),
      "2_c.sql": "",
    },
    async (directory) => {
      await assert.rejects(
        () => readMigrations(directory, "m"),
        (error: Error) => {
          assert.match(error.message, /m\/init\.sql: expected a name of the form <revision>_<slug>/);
          assert.match(error.message, /m\/2_c\.sql:1: .*the line "-- migrate: up" is missing/);
          assert.match(error.message, /m\/1_a\.sql: has the revision of m\/01_b\.sql/);
          return true;
        },
      );
    },
  );
});

test("a file that cannot be read, one whose ending is in capitals, and a folder that is none are refused", async () => {
  await withFiles({ "1_a.sql": whole("SELECT 1;"), "2_b.SQL": whole("SELECT 2;") }, async (directory) => {
    symlinkSync("/nowhere", join(directory, "3_c.sql"));
    symlinkSync("/", join(directory, "4_d.sql"));
    await assert.rejects(
      () => readMigrations(directory, "m"),
      (error: Error) => {
        assert.match(error.message, /m\/2_b\.SQL: expected an ending in small letters/);
        assert.match(error.message, /m\/3_c\.sql: cannot be read: ENOENT/);
        assert.match(error.message, /m\/4_d\.sql: cannot be read: EISDIR/);
        return error instanceof RefusedError;
      },
    );
    await assert.rejects(() => readMigrations(join(directory, "1_a.sql")), /does not exist/);
    await assert.rejects(() => readMigrations(join(directory, "none")), /does not exist/);
  });
});

test("a TypeScript migration is kept without its types and may import nothing that could change", async () => {
  const ok =
    'import type { Client } from "pg";\nexport async function up(client: Client): Promise<void> { await client.query("SELECT 1"); }\nexport const down = "SELECT 2";\n';
  await withFiles({ "1_a.ts": ok }, async (directory) => {
    const [found] = await readMigrations(directory);
    assert.doesNotMatch(found?.up ?? "", /Promise<void>|import type/);
    assert.equal(found?.language, "js");
  });
  await withFiles({ "1_a.ts": `import { x } from "./x.ts";\n${ok}` }, async (directory) => {
    await assert.rejects(() => readMigrations(directory, "m"), /m\/1_a\.ts:1: imports "\.\/x\.ts"/);
  });
  await withFiles({ "1_a.ts": "export const up = 'SELECT 1';" }, async (directory) => {
    await assert.rejects(() => readMigrations(directory, "m"), /m\/1_a\.ts: expected "export const down/);
  });
});
