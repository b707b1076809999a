import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ArchiveEntry } from "../../runner/dump/archive/parser.ts";
import {
  endOfRows,
  followersOf,
  holdsRows,
  memoryFor,
  rowPieces,
} from "../../runner/restore/load/large-tables.ts";

async function withFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "pgstack-rows-"));
  try {
    const path = join(folder, "1.dat");
    writeFileSync(path, text);
    return await use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("rows are cut into pieces at line ends only, however long a line is, and the end mark is none of them", async () => {
  const line = (bytes: number) => `${"x".repeat(bytes)}\n`;
  const rows = [7, 3_000_000, 0, 600_000, 524_287, 1].map(line).join("") + line(9).repeat(100_000);
  const pieces = await withFile(rows + endOfRows, async (path) => {
    assert.ok(await holdsRows(path));
    return (await Array.fromAsync(rowPieces(path, new AbortController().signal))).map(String);
  });
  assert.equal(pieces.join(""), rows);
  assert.ok(pieces.length > 3);
  for (const piece of pieces) assert.ok(piece.endsWith("\n"));
});

test("a table without rows gives none, and a file of another form is told apart", async () => {
  await withFile(endOfRows, async (path) => {
    assert.ok(await holdsRows(path));
    assert.deepEqual(await Array.fromAsync(rowPieces(path, new AbortController().signal)), []);
  });
  for (const text of ["INSERT INTO t VALUES (1);\n\n\n", "1\n2\n", ""])
    assert.equal(await withFile(text, holdsRows), false);
});

function entry(id: number, type: string, name: string, definition: string): ArchiveEntry {
  return { id, oid: id, type, name, definition, schema: "public", tablespace: null, rows: 0 };
}

test("keys of a large table come first and its slow indexes beside the rest, unless something waits for them", () => {
  const rows = entry(1, "TABLE DATA", "big", "");
  const statement = 'COPY public."big one" (id, words) FROM stdin;';
  const index = (id: number, name: string, on: string) =>
    entry(id, "INDEX", name, `CREATE INDEX ${name} ON public.${on} (words);`);
  const { keys, slow } = followersOf(
    [{ entry: rows, file: "1.dat", bytes: 2 ** 31, statement }],
    [
      entry(
        2,
        "CONSTRAINT",
        "k",
        'ALTER TABLE ONLY public."big one"\n    ADD CONSTRAINT k PRIMARY KEY (id);',
      ),
      entry(3, "CONSTRAINT", "o", "ALTER TABLE ONLY public.big\n    ADD CONSTRAINT o UNIQUE (id);"),
      index(4, "tree", '"big one" USING btree'),
      index(5, "words", '"big one" USING gin'),
      index(6, "other", "big USING gin"),
      index(7, "part", '"big one" USING gist'),
      entry(8, "INDEX ATTACH", "part", "ALTER INDEX public.whole ATTACH PARTITION public.part;"),
      entry(9, "COMMENT", "INDEX words", "COMMENT ON INDEX public.words IS 'slow';"),
      entry(
        10,
        "FK CONSTRAINT",
        "f",
        'ALTER TABLE ONLY public."big one"\n    ADD CONSTRAINT f FOREIGN KEY …',
      ),
    ],
  );
  const ids = (entries: readonly ArchiveEntry[]) => entries.map(({ id }) => id);
  assert.deepEqual([ids(keys), ids(slow)], [[2], [5, 9]]);
});

test("an index gets memory by the size of its table, within bounds", () => {
  const table = { entry: entry(1, "TABLE DATA", "t", ""), file: "", statement: "" };
  assert.deepEqual(
    [0, 2 ** 30, 2 ** 33, 2 ** 40].map((bytes) => memoryFor([{ ...table, bytes }])),
    [16, 16, 128, 1024],
  );
});
