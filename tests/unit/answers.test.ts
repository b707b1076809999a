import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { linesOf } from "../../runner/lines.ts";
import { callVerb } from "../support/migrations.ts";

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
    const { code, stdout } = await callVerb("answers", ["migrations-read"], {}, questions.join("\n"));
    const answers = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const byId = Object.fromEntries(answers.map(({ id, ...rest }) => [id, rest]));
    assert.equal(code, 0);
    assert.match(byId[1].answer[0].up, /SELECT '\u2028';/);
    assert.match(byId[2].error, /none" does not exist/);
    assert.match(byId[3].error, /no verb "make-coffee"/);
    assert.match(byId[4].error, /JSON/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
