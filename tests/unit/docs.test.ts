import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../../runner/util/project.ts";

const pages = globSync(["*.md", "docs/**/*.md"], { cwd: projectRoot, exclude: ["**/node_modules/**"] });
const textOf = (page: string) => readFileSync(join(projectRoot, page), "utf8");

test("every link of every page leads somewhere", () => {
  const dead = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map(([, path = ""]) => path)
      .filter((path) => !existsSync(join(projectRoot, dirname(page), path)))
      .map((path) => `${page}: ${path}`),
  );
  assert.deepEqual(dead, []);
});

test("every source file that the contributors' pages name is there", () => {
  const named = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].flatMap((page) =>
    [...textOf(page).matchAll(/`((?:runner|components|tests|cli|docs|bench|toolchain)\/[\w./-]+)`/g)].map(
      ([, path = ""]) => ({ page, path }),
    ),
  );
  assert.ok(named.length > 20, "the pages name files");
  const missing = named.filter(({ path }) => !existsSync(join(projectRoot, path)));
  assert.deepEqual(missing, []);
});
