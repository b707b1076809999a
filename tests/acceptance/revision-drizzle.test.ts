import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { projectPath } from "../../runner/util/project.ts";

const run = promisify(execFile);

test("the example with Drizzle gives a migration, and after that an empty one", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "pgstack-drizzle-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  cpSync(projectPath("docs/examples/drizzle"), root, {
    recursive: true,
    filter: (path) => !path.includes("node_modules"),
  });
  const install = ["install", "--no-audit", "--no-fund", "--prefer-offline", "--prefix", root];
  const installed = await run("npm", install, { timeout: 120_000 }).catch((error: Error) => error);
  if (installed instanceof Error) return t.skip(`npm cannot install Drizzle here: ${installed.message}`);

  const models = join(root, "models");
  const command = readFileSync(join(models, "models.json"), "utf8").replace("docs/examples/drizzle", root);
  writeFileSync(join(models, "models.json"), command);
  const places = ["--from", "migrations", "--models", models, "--directory", models];
  const revision = (name: string) =>
    run(process.execPath, [projectPath("runner/main.ts"), "revision", name, ...places]);

  const { stdout } = await revision("first tables");
  const text = readFileSync(stdout.trim(), "utf8");
  assert.match(text, /CREATE TYPE public\.status AS ENUM/);
  assert.match(text, /FOREIGN KEY \(guild_xid\) REFERENCES public\.guilds\(xid\)\s+ON DELETE CASCADE/);
  assert.match(text, /-- migrate: down[\s\S]*DROP TABLE public\.games/);
  assert.equal((await revision("again")).stdout, "");
});
