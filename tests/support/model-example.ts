import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { projectPath } from "../../runner/util/project.ts";

const run = promisify(execFile);

/** An example of models in another tool's language, copied out of the project so that its packages are installed apart. */
export interface ModelExample {
  readonly directory: string;
  /** Runs a program that installs packages. Returns what went wrong, or undefined. */
  readonly install: (program: string, args: readonly string[]) => Promise<Error | undefined>;
}

/** Copies `docs/examples/NAME` to a folder that goes with the test. */
export function copyModelExample(name: string, t: TestContext): ModelExample {
  const example = `docs/examples/${name}`;
  const directory = mkdtempSync(join(tmpdir(), `pgstack-${name}-`));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const filter = (path: string) => !/node_modules|\.venv/.test(path);
  cpSync(projectPath(example), directory, { recursive: true, filter });
  const list = join(directory, "models/models.json");
  writeFileSync(list, readFileSync(list, "utf8").replaceAll(example, directory));
  const install = (program: string, args: readonly string[]) =>
    run(program, args, { timeout: 120_000 }).then(
      () => undefined,
      (error: Error) => error,
    );
  return { directory, install };
}

/** The example's models, from nothing: a first revision makes its tables, and a second one has nothing to say. */
export async function assertOneRevision({ directory }: ModelExample): Promise<void> {
  const migrations = join(directory, "migrations");
  mkdirSync(migrations);
  const places = ["--from", "migrations", "--models", join(directory, "models"), "--directory", migrations];
  const revision = (name: string) =>
    run(process.execPath, [projectPath("runner/main.ts"), "revision", name, ...places]);
  const { stdout } = await revision("first tables");
  const text = readFileSync(stdout.trim(), "utf8");
  assert.match(text, /CREATE TYPE public\.status AS ENUM/);
  assert.match(text, /FOREIGN KEY \(guild_xid\) REFERENCES public\.guilds\(xid\)\s+ON DELETE CASCADE/);
  assert.match(text, /-- migrate: down[\s\S]*DROP TABLE public\.games/);
  assert.equal((await revision("again")).stdout, "");
}
