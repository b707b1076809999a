import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../../runner/util/project.ts";

const readme = readFileSync(join(projectRoot, "README.md"), "utf8");

test("the README lists every verb as the program itself does", () => {
  const help = execFileSync(process.execPath, [join(projectRoot, "runner/main.ts"), "help"], {
    encoding: "utf8",
  });
  assert.ok(
    readme.includes(help),
    "put the output of node runner/main.ts help into the README's last section",
  );
});

test("the README's links lead somewhere", () => {
  for (const [, path = ""] of readme.matchAll(/\]\(([^)#:]+)\)/g))
    assert.ok(existsSync(join(projectRoot, path)), `${path} is not there`);
});
