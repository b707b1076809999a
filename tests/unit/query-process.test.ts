import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { QueryProcess } from "../../components/runner/query-process.ts";
import { linesOf } from "../../runner/util/lines.ts";
import { callCommand } from "../support/migrations.ts";

test("a line is what LF ends, however it arrives", async () => {
  const stream = new PassThrough();
  const text = Buffer.from("one\u2028two\r\u2029\n\n{é}\nlast");
  for (const byte of text) stream.write(Buffer.of(byte));
  stream.end();
  assert.deepEqual(await Array.fromAsync(linesOf(stream)), ["one\u2028two\r\u2029", "", "{é}", "last"]);
});

test("every question gets its own answer, or what is wrong with it, whatever the others get", async () => {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-answers-"));
  try {
    writeFileSync(
      join(directory, "1_a.sql"),
      "-- migrate: up\nSELECT '\u2028';\n-- migrate: down irreversible\n",
    );
    const ask = (request: object) => JSON.stringify({ request, environment: {} });
    const questions = [
      `1 migrations-read ${ask({ directory })}`,
      `2 migrations-read ${ask({ directory: join(directory, "none") })}`,
      `3 make-coffee ${ask({})}`,
      "4 migrations-read {",
    ];
    const { code, stdout } = await callCommand("serve", ["migrations-read"], {}, questions.join("\n"));
    const answers = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const byId = Object.fromEntries(answers.map(({ id, ...rest }) => [id, rest]));
    assert.equal(code, 0);
    assert.match(byId[1].answer[0].up, /SELECT '\u2028';/);
    assert.match(byId[2].error, /none" does not exist/);
    assert.match(byId[3].error, /found "make-coffee"/);
    assert.match(byId[4].error, /JSON/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** The runner that this process has started. */
function runnerOf(parent: number): number {
  const table = execFileSync("ps", ["-eo", "ppid=,pid=,args="], { encoding: "utf8" });
  const rows = table.split("\n").map((line) => line.trim().split(/\s+/));
  const found = rows.filter(([ppid, , ...args]) => Number(ppid) === parent && args.includes("serve"));
  assert.equal(found.length, 1, table);
  return Number(found[0]?.[1]);
}

test("a runner that is killed leaves no question without an answer, nor those that come later", async () => {
  const question = { request: { directory: "migrations" }, environment: {} };
  const queries = QueryProcess.start("migrations-read");
  assert.ok(Array.isArray(await queries.ask("migrations-read", question)));
  process.kill(runnerOf(process.pid), "SIGKILL");
  const open = Array.from({ length: 3 }, () => queries.ask("no-such-command", question));
  for (const one of open) await assert.rejects(one, /The runner ended before it had answered/);
  await assert.rejects(queries.ask("migrations-read", question), /The runner ended/);
});
