/**
 * Applies 300 and 1,000 generated migrations to an empty database: this program, bare Umzug, node-pg-migrate and dbmate, each in a
 * process of its own, in turns, best of three. The peers are installed for the run, into a folder that goes with it. Tables are
 * files, so a quiet disk counts as much as a quiet machine: TMPDIR=/dev/shm node bench/migrations.ts
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionSettings, environmentOf, withClient } from "../runner/postgres/connection.ts";
import { projectPath } from "../runner/util/project.ts";
import { startThrowawayCluster } from "../tests/support/throwaway-cluster.ts";
import { bestOf } from "./support/measure.ts";

const rounds = 3;
const peers = ["dbmate@2.36.0", "node-pg-migrate@9.0.0"];

interface Contender {
  readonly name: string;
  readonly run: (folder: string, database: ConnectionSettings) => void;
}

const urlOf = ({ user, password, host, port, database }: ConnectionSettings) =>
  `postgres://${user}:${password}@${host}:${port}/${database}?sslmode=disable`;

function sqlOf(number: number): [string, string] {
  if (number % 3 === 0)
    return [`CREATE TABLE t${number} (id int PRIMARY KEY, name text)`, `DROP TABLE t${number}`];
  const table = number - (number % 3) || 1;
  if (number < 3) return [`CREATE TABLE t${number} (id int)`, `DROP TABLE t${number}`];
  return [`ALTER TABLE t${table} ADD COLUMN c${number} int`, `ALTER TABLE t${table} DROP COLUMN c${number}`];
}

/** The same migrations in the form of each tool, each in a folder of its own. */
function writeFiles(root: string, count: number): void {
  for (const folder of ["ours", "dbmate", "node-pg-migrate"])
    mkdirSync(join(root, folder), { recursive: true });
  for (let number = 1; number <= count; number++) {
    const [up, down] = sqlOf(number);
    const name = `${20_240_101_000_000 + number}_step.sql`;
    writeFileSync(join(root, "ours", name), `-- migrate: up\n${up};\n-- migrate: down\n${down};\n`);
    writeFileSync(join(root, "dbmate", name), `-- migrate:up\n${up};\n-- migrate:down\n${down};\n`);
    writeFileSync(
      join(root, "node-pg-migrate", name),
      `-- Up Migration\n${up};\n-- Down Migration\n${down};\n`,
    );
  }
}

/** Umzug as its own page shows it: a table of names beside it, and no transaction. */
const bareUmzug = `
import { readFileSync } from "node:fs";
import pg from "pg";
import { Umzug } from "umzug";
const client = new pg.Client();
await client.connect();
await client.query("CREATE TABLE IF NOT EXISTS umzug (name text PRIMARY KEY)");
const umzug = new Umzug({
  migrations: {
    glob: ["*.sql", { cwd: process.argv[2] }],
    resolve: ({ name, path }) => ({
      name,
      up: () => client.query(readFileSync(path, "utf8").split("-- migrate: down")[0]),
    }),
  },
  storage: {
    executed: async () => (await client.query("SELECT name FROM umzug")).rows.map((row) => row.name),
    logMigration: ({ name }) => client.query("INSERT INTO umzug VALUES ($1)", [name]),
    unlogMigration: ({ name }) => client.query("DELETE FROM umzug WHERE name = $1", [name]),
  },
  logger: undefined,
});
await umzug.up();
await client.end();
`;

/** The runner as `./pgstack` starts it. */
function ourRunner(command: string, directory: string, database: ConnectionSettings): void {
  const compiled = join(root, "compiled");
  execFileSync(
    process.execPath,
    [projectPath("runner/main.ts"), command, "--url", "postgres://", "--directory", directory],
    { env: { ...process.env, NODE_COMPILE_CACHE: compiled, ...environmentOf(database) }, stdio: "ignore" },
  );
}

function contenders(root: string): Contender[] {
  const start = (file: string, args: string[], env: Record<string, string>) =>
    execFileSync(file, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "inherit"],
    });
  const bin = (name: string) => join(root, "peers", "node_modules", ".bin", name);
  return [
    {
      name: "pgstack",
      run: (folder, database) => ourRunner("upgrade", join(folder, "ours"), database),
    },
    {
      name: "bare Umzug",
      run: (folder, database) =>
        start(process.execPath, [join(root, "umzug.mjs"), join(folder, "ours")], environmentOf(database)),
    },
    {
      name: "dbmate",
      run: (folder, database) =>
        start(bin("dbmate"), ["--migrations-dir", join(folder, "dbmate"), "--no-dump-schema", "up"], {
          DATABASE_URL: urlOf(database),
        }),
    },
    {
      name: "node-pg-migrate",
      run: (folder, database) =>
        start(bin("node-pg-migrate"), ["up", "--migrations-dir", join(folder, "node-pg-migrate")], {
          DATABASE_URL: urlOf(database),
        }),
    },
  ];
}

function installPeers(root: string): void {
  mkdirSync(join(root, "peers"));
  writeFileSync(join(root, "peers", "package.json"), "{}");
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", "pg@8.23.1", ...peers], {
    cwd: join(root, "peers"),
    stdio: "inherit",
  });
  writeFileSync(join(root, "umzug.mjs"), bareUmzug);
  symlinkSync(projectPath("node_modules"), join(root, "node_modules"));
}

async function emptyDatabase(admin: ConnectionSettings): Promise<void> {
  await withClient(admin, async (client) => {
    await client.query("DROP DATABASE IF EXISTS bench WITH (FORCE)");
    await client.query("CREATE DATABASE bench");
  });
}

async function compare(count: number, admin: ConnectionSettings): Promise<void> {
  const folder = join(root, String(count));
  writeFiles(folder, count);
  const database = { ...admin, database: "bench" };
  const before = () => emptyDatabase(admin);
  const runs = contenders(root).map(({ name, run }) => [name, { before, run: () => run(folder, database) }]);
  const best = await bestOf(rounds, Object.fromEntries(runs));
  for (const [name, taken] of Object.entries(best))
    console.log(`${count} migrations, ${name}: ${taken.toFixed(2)} s`);
  await emptyDatabase(admin);
  ourRunner("upgrade", join(folder, "ours"), database);
  const { status } = await bestOf(rounds, {
    status: { run: () => ourRunner("status", join(folder, "ours"), database) },
  });
  console.log(`${count} migrations, status: ${status?.toFixed(2)} s`);
}

const root = mkdtempSync(join(tmpdir(), "pgstack-bench-"));
try {
  installPeers(root);
  await using cluster = await startThrowawayCluster();
  for (const count of [300, 1000]) await compare(count, cluster.admin);
} finally {
  rmSync(root, { recursive: true, force: true });
}
