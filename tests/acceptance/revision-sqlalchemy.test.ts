import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { projectPath } from "../../runner/util/project.ts";

const run = promisify(execFile);
const example = "docs/examples/sqlalchemy";

test("the example with SQLAlchemy gives a migration, and after that an empty one", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "pgstack-sqlalchemy-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  cpSync(projectPath(example), root, { recursive: true, filter: (path) => !path.includes(".venv") });
  const install = async () => {
    await run("python3", ["-m", "venv", join(root, ".venv")]);
    const pip = ["install", "--quiet", "--disable-pip-version-check", "-r", join(root, "requirements.txt")];
    await run(join(root, ".venv/bin/pip"), pip, { timeout: 120_000 });
  };
  const failed = await install().then(
    () => undefined,
    (error: Error) => error,
  );
  if (failed !== undefined) return t.skip(`pip cannot install SQLAlchemy here: ${failed.message}`);

  const models = join(root, "models");
  const command = readFileSync(join(models, "models.json"), "utf8").replaceAll(example, root);
  writeFileSync(join(models, "models.json"), command);
  const migrations = join(root, "migrations");
  mkdirSync(migrations);
  const places = ["--from", "migrations", "--models", models, "--directory", migrations];
  const revision = (name: string) =>
    run(process.execPath, [projectPath("runner/main.ts"), "revision", name, ...places]);

  const { stdout } = await revision("first tables");
  const text = readFileSync(stdout.trim(), "utf8");
  assert.match(text, /CREATE TYPE public\.status AS ENUM/);
  assert.match(text, /FOREIGN KEY \(guild_xid\) REFERENCES public\.guilds\(xid\)\s+ON DELETE CASCADE/);
  assert.match(text, /-- migrate: down[\s\S]*DROP TABLE public\.games/);
  assert.equal((await revision("again")).stdout, "");
});
