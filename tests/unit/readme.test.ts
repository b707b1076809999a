import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../../runner/util/project.ts";

const readme = readFileSync(join(projectRoot, "README.md"), "utf8");

test("the README lists every command as the program itself does", () => {
  const help = execFileSync(process.execPath, [join(projectRoot, "cli/main.ts"), "help"], {
    encoding: "utf8",
  });
  const list = help.slice(help.indexOf("\n\n") + 2);
  assert.ok(readme.includes(list), "put the list of node cli/main.ts help into the README's last section");
});

test("the README's links lead somewhere", () => {
  for (const [, path = ""] of readme.matchAll(/\]\(([^)#:]+)\)/g))
    assert.ok(existsSync(join(projectRoot, path)), `${path} is not there`);
});
