/**
 * A revision, process start included, against `alembic revision --autogenerate` on reflected metadata; and a large
 * generated schema with one column added.
 * Usage: node bench/revision.ts [ROUNDS, default 5] [TABLES, default 1000]. Needs Python, and PyPI for alembic.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { withClient } from "../runner/connection.ts";
import { projectPath } from "../runner/project.ts";
import { startThrowawayCluster } from "../runner/server/throwaway-cluster.ts";
import { bestOf, report, seconds } from "./support/measure.ts";

const run = promisify(execFile);
const [rounds = 5, tables = 1000] = process.argv.slice(2).map(Number);
const say = (text: string) => process.stdout.write(`${text}\n`);

await using cluster = await startThrowawayCluster();
const root = mkdtempSync(join(tmpdir(), "pgstack-bench-"));
const models = join(root, "models");
const migrations = join(root, "migrations");
const python = join(root, "venv", "bin");

/** Tables with ten columns, two indexes and a foreign key each. */
function schema(count: number): string {
  const table = (index: number) => `CREATE TABLE t${index} (id serial PRIMARY KEY,
      before_id int REFERENCES t${Math.max(0, index - 1)}, a text NOT NULL, b int DEFAULT 0, c timestamptz DEFAULT now(),
      d numeric(10, 2), e boolean NOT NULL DEFAULT false, f varchar(100), g jsonb, h uuid);
    CREATE INDEX t${index}_a ON t${index} (a); CREATE INDEX t${index}_b ON t${index} (b, c);`;
  return Array.from({ length: count }, (_, index) => table(index)).join("\n");
}

const change = "ALTER TABLE t3 ADD COLUMN added text; CREATE INDEX t3_added ON t3 (added);";

async function database(name: string, sql: string): Promise<void> {
  await withClient(cluster.admin, (client) => client.query(`CREATE DATABASE ${name}`));
  await withClient({ ...cluster.admin, database: name }, (client) => client.query(sql));
}

const url = (name: string, scheme = "postgres") =>
  `${scheme}://postgres:${cluster.admin.password}@127.0.0.1:${cluster.admin.port}/${name}`;

function clear(): void {
  rmSync(migrations, { recursive: true, force: true });
  rmSync(join(root, "alembic", "versions"), { recursive: true, force: true });
  for (const path of [migrations, join(root, "alembic", "versions")]) mkdirSync(path, { recursive: true });
}

async function ours(live: string): Promise<void> {
  const places = ["--models", models, "--directory", migrations];
  const words = [projectPath("runner/main.ts"), "revision", "step", "--url", url(live), ...places];
  await run(process.execPath, words);
}

const environment = `from alembic import context
from sqlalchemy import create_engine, MetaData
import os
metadata = MetaData()
metadata.reflect(create_engine(os.environ["MODELS"]))
with create_engine(os.environ["LIVE"]).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
`;

async function installAlembic(): Promise<void> {
  await run("python3", ["-m", "venv", join(root, "venv")]);
  await run(join(python, "pip"), ["install", "--quiet", "alembic==1.20.1", "psycopg2-binary==2.9.13"]);
  await run(join(python, "alembic"), ["init", "alembic"], { cwd: root });
  writeFileSync(join(root, "alembic", "env.py"), environment);
}

async function alembic(live: string, desired: string): Promise<void> {
  const env = {
    ...process.env,
    LIVE: url(live, "postgresql+psycopg2"),
    MODELS: url(desired, "postgresql+psycopg2"),
  };
  await run(join(python, "alembic"), ["revision", "--autogenerate", "-m", "step"], { cwd: root, env });
}

function useModels(sql: string): void {
  mkdirSync(models, { recursive: true });
  writeFileSync(join(models, "models.sql"), sql);
}

try {
  await installAlembic();
  await database("small", schema(15));
  await database("small_desired", `${schema(15)}\n${change}`);
  useModels(`${schema(15)}\n${change}`);
  const best = await bestOf(rounds, {
    ours: { before: clear, run: () => ours("small") },
    alembic: { before: clear, run: () => alembic("small", "small_desired") },
  });
  report(
    "a revision of 15 tables, proved both ways",
    best.ours ?? 0,
    best.alembic ?? 0,
    "alembic's, not proved",
  );

  for (const count of [tables / 4, tables]) {
    await database(`large_${count}`, schema(count));
    useModels(`${schema(count)}\n${change}`);
    clear();
    const time = await seconds(() => ours(`large_${count}`));
    say(`${count} tables, one column and index added: ${time.toFixed(2)} s (goal at 1000: under 10 s)`);
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
