import assert from "node:assert/strict";
import { test } from "node:test";
import { boundedLog } from "../../runner/cli/bounded-log.ts";

function logged(lines: number, millisecondsEach: number): string[] {
  const written: string[] = [];
  let time = 0;
  const { log, end } = boundedLog(
    (line) => written.push(line),
    () => time,
  );
  for (let line = 1; line <= lines; line++) {
    time += millisecondsEach;
    log(`line ${line}: ${"x".repeat(90)}`);
  }
  end();
  return written;
}

test("few lines pass as they are", () => {
  assert.equal(logged(200, 1).length, 200);
});

test("many lines at once stay small, and the last one is there", () => {
  const written = logged(5000, 1);
  assert.ok(written.join("\n").length < 40_000);
  assert.match(written.at(-2) ?? "", /\d+ lines are left out/);
  assert.match(written.at(-1) ?? "", /^line 5000:/);
});

test("long work continues to show where it is", () => {
  const written = logged(2000, 1000);
  const shown = written.flatMap((line) => /^line (\d+)/.exec(line)?.[1] ?? []).map(Number);
  assert.ok(shown.filter((line) => line > 1000).length >= 50);
});
