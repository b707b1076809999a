import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseWords } from "../../runner/cli/arguments.ts";
import type { StackFacts } from "../../runner/cli/command.ts";
import { commands, internalCommand } from "../../runner/commands/index.ts";
import { defaultSettings, type MigrationSettings } from "../../runner/config/migrations.ts";
import { adoptBaseline } from "../../runner/migrations/adopt-baseline.ts";
import { readMigrations } from "../../runner/migrations/files/directory.ts";
import { type ApplyResult, applyMigrations } from "../../runner/migrations/run/apply.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { UserError } from "../../runner/util/errors.ts";
import { projectPath } from "../../runner/util/project.ts";
import { connectionUrl } from "./databases.ts";
import type { ThrowawayCluster } from "./throwaway-cluster.ts";

/** How a program ended. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the runner in a process of its own. */
export function runRunner(
  words: readonly string[],
  env: Record<string, string> = {},
  stdin = "",
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [projectPath("runner/main.ts"), ...words],
      { env: { ...process.env, ...env }, maxBuffer: 1 << 26 },
      (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : typeof error.code === "number" ? error.code : null,
          stdout,
          stderr,
        }),
    );
    child.stdin?.end(stdin);
  });
}

/** Runs a command as the command line would, in this process: a start of Node for each would take most of a test's time. */
export async function callCommand(
  name: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  stdin = "",
  facts?: StackFacts,
): Promise<Outcome> {
  const output = { stdout: "", stderr: "" };
  const log = (line: string) => {
    output.stderr += `${line}\n`;
  };
  const print = (line: string) => {
    output.stdout += `${line}\n`;
  };
  try {
    const command = (await commands[name]?.()) ?? (await internalCommand(name));
    if (command === undefined) throw new Error(`no command ${name}`);
    const code = await command.run({
      ...parseWords(command, args),
      internal: internalCommand,
      env,
      facts,
      stdin: async () => stdin,
      lines: async function* () {
        yield* stdin.split("\n");
      },
      print,
      log,
      terminal: false,
    });
    return { code, ...output };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return {
      code: error.exitCode,
      stdout: output.stdout,
      stderr: `${output.stderr}error: ${error.message}\n`,
    };
  }
}

/** A database of its own, with an owner who is no superuser, and a folder of migrations. */
export interface Bench extends Disposable {
  readonly owner: ConnectionSettings;
  readonly admin: ConnectionSettings;
  readonly superuser: ConnectionSettings;
  readonly directory: string;
  /** Everything that was logged. */
  readonly lines: string[];
  readonly write: (name: string, text: string | Buffer) => void;
  readonly remove: (name: string) => void;
  /** Writes a migration from its two scripts. */
  readonly migration: (name: string, up: string, down?: string, options?: string) => void;
  readonly apply: (
    settings?: Partial<MigrationSettings>,
    leaving?: string[],
    as?: ConnectionSettings,
  ) => Promise<ApplyResult>;
  /** Runs a command of the command line on the database. */
  readonly run: (command: string, ...words: string[]) => Promise<Outcome>;
  /** The first column of a query, run as the owner. */
  readonly query: (sql: string) => Promise<unknown[]>;
  /** Names in the history table, in the order of application. */
  readonly history: () => Promise<string[]>;
}

let count = 0;

async function createDatabase(superuser: ConnectionSettings, name: string): Promise<void> {
  await withClient(superuser, async (client) => {
    await client.query(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'`);
    await client.query(`CREATE DATABASE ${name} OWNER ${name}`);
  });
}

/** Makes a fresh database on a cluster that the test shares. */
export async function makeBench(cluster: ThrowawayCluster): Promise<Bench> {
  const name = `bench_${++count}`;
  await createDatabase(cluster.superuser, name);
  const owner = { ...cluster.admin, user: name, password: "secret", database: name };
  const root = mkdtempSync(join(tmpdir(), "pgstack-migrations-"));
  const directory = join(root, "migrations");
  mkdirSync(directory);
  const lines: string[] = [];
  const write = (file: string, text: string | Buffer) => writeFileSync(join(directory, file), text);
  const query = (sql: string) =>
    withClient(owner, async (client) =>
      (await client.query({ text: sql, rowMode: "array" })).rows.map((row) => row[0]),
    );
  return {
    owner,
    admin: { ...cluster.admin, database: name },
    superuser: { ...cluster.superuser, database: name },
    directory,
    lines,
    write,
    remove: (file) => rmSync(join(directory, file)),
    migration: (file, up, down, options = "") =>
      write(
        `${file}.sql`,
        `-- migrate: up ${options}\n${up}\n-- migrate: down${down === undefined ? " irreversible" : `\n${down}`}\n`,
      ),
    apply: async (settings = {}, leaving = [], as = owner) => {
      const files = await readMigrations(directory, "migrations");
      return applyMigrations({
        access: { owner: as },
        files,
        kept: () => new Set(files.map((file) => file.name)),
        settings: { ...defaultSettings, ...settings },
        leaving: new Set(leaving),
        adoptBaseline,
        log: (line) => lines.push(line),
      });
    },
    run: (command, ...words) =>
      callCommand(command, [...words, "--url", connectionUrl(owner), "--directory", directory]),
    query,
    history: async () => (await query("SELECT name FROM pgstack.migrations ORDER BY position")) as string[],
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}
