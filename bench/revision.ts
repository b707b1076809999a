/**
 * A revision, process start included, against `alembic revision --autogenerate` on reflected metadata, for every step of
 * a history; and a large generated schema with one column and one index added.
 * Usage: node bench/revision.ts [HISTORY] [TABLES, default 1000]. HISTORY is a folder of SQL files, each the whole schema
 * after one more revision, in the order of their names (default: three steps of a generated schema). Needs Python, and
 * PyPI for alembic.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { withClient } from "../runner/postgres/connection.ts";
import { projectPath } from "../runner/util/project.ts";
import { startThrowawayCluster } from "../tests/support/throwaway-cluster.ts";
import { median, report, seconds } from "./support/measure.ts";

const run = promisify(execFile);
const [history, tables = "1000"] = process.argv.slice(2);
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
  await run(projectPath("pgstack"), ["revision", "step", "--url", url(live), ...places]);
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

/** The schemas of a history, the empty one first. */
function schemas(): string[] {
  if (history === undefined) return ["", schema(10), schema(15), `${schema(15)}\n${change}`];
  const names = readdirSync(history).filter((name) => name.endsWith(".sql"));
  return [
    "",
    ...names.sort().map((name) => readFileSync(join(history, name), "utf8").replace(/^\\.*$/gm, "")),
  ];
}

/** Each step on databases of its own, since alembic leaves a table behind. */
async function measureSteps(): Promise<void> {
  const all = schemas();
  const times: { ours: number; alembic: number }[] = [];
  for (const [index, models] of all.entries()) {
    const before = all[index - 1];
    if (before === undefined) continue;
    await database(`start_${index}`, before);
    await database(`models_${index}`, models);
    useModels(models);
    clear();
    const step = await seconds(() => ours(`start_${index}`));
    times.push({ ours: step, alembic: await seconds(() => alembic(`start_${index}`, `models_${index}`)) });
  }
  const of = (name: "ours" | "alembic") => median(times.map((time) => time[name]));
  report(
    `the median of ${times.length} revisions, each proved both ways`,
    of("ours"),
    of("alembic"),
    "alembic's",
  );
}

async function measureLarge(count: number): Promise<void> {
  await database(`large_${count}`, schema(count));
  useModels(`${schema(count)}\n${change}`);
  clear();
  const time = await seconds(() => ours(`large_${count}`));
  say(`${count} tables, one column and index added: ${time.toFixed(2)} s (goal at 1000: under 10 s)`);
}

try {
  await installAlembic();
  clear();
  await database("warm", "");
  useModels("SELECT 1");
  await ours("warm"); // the template of the scratch server is made once
  await measureSteps();
  for (const count of [Math.ceil(Number(tables) / 4), Number(tables)]) await measureLarge(count);
} finally {
  rmSync(root, { recursive: true, force: true });
}
