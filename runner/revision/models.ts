import { execFile } from "node:child_process";
import { type Dirent, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type pg from "pg";
import { runOnScratch } from "../scratch/run.ts";
import type { ScratchServer } from "../scratch/server.ts";
import { userCommandEnvironment } from "../util/child-environment.ts";
import { RefusedError, UserError } from "../util/errors.ts";

/** A piece of SQL and where it comes from. */
export interface SqlSource {
  readonly name: string;
  readonly sql: string;
}

const run = promisify(execFile);

/** pg_dump's guards against its own output: psql commands that are no SQL. */
const guards = /^\\(un)?restrict\b.*$/gm;

function commandIn(file: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new RefusedError(`${file} is no JSON: ${(error as Error).message}`, { cause: error });
  }
  const { command } = (parsed ?? {}) as { command?: unknown };
  if (typeof command !== "string" || command.trim() === "")
    throw new RefusedError(`${file}: expected { "command": "…" }, whose output is the schema as SQL`);
  return command;
}

async function printed(command: string, cwd: string): Promise<SqlSource> {
  try {
    const { stdout } = await run("sh", ["-c", command], {
      cwd,
      env: userCommandEnvironment(),
      maxBuffer: 256 * 1024 * 1024,
    });
    return { name: `output of "${command}"`, sql: stdout };
  } catch (error) {
    const { code, stderr } = error as { code?: number; stderr?: string };
    throw new UserError(
      `The models' command "${command}" ended with ${code ?? "an error"}:\n${stderr?.trim() ?? ""}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * The desired schema: what the command in `models.json` prints, else all `*.sql` in the order of their names.
 * @param directory folder of the models
 * @param root folder in which the command runs
 */
export async function readModels(directory: string, root: string): Promise<SqlSource[]> {
  const settings = join(directory, "models.json");
  if (existsSync(settings)) return [await printed(commandIn(settings), root)];
  const names = existsSync(directory) ? readdirSync(directory, { withFileTypes: true }).filter(isModel) : [];
  if (names.length === 0)
    throw new RefusedError(
      `${directory} holds no models: expected *.sql files, or models.json with { "command": "…" }`,
    );
  return names
    .map(({ name }) => join(directory, name))
    .sort()
    .map((name) => ({ name, sql: readText(name).replace(/^\uFEFF/, "") }));
}

/** Names that begin with a dot are other programs', such as an editor's lock. */
const isModel = (entry: Dirent) =>
  !entry.isDirectory() && !entry.name.startsWith(".") && entry.name.endsWith(".sql");

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new RefusedError(`${path}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** The line, from 1, on which a position of PostgreSQL's (characters, from 1) lies. */
function lineAt(sql: string, position: string | undefined): string {
  if (position === undefined) return "";
  return `:${[...sql].slice(0, Number(position) - 1).filter((character) => character === "\n").length + 1}`;
}

/** Runs the models on an empty database. Throws UserError with file, line and PostgreSQL's message. */
export async function loadModels(
  server: ScratchServer,
  client: pg.Client,
  models: readonly SqlSource[],
): Promise<void> {
  for (const { name, sql } of models) {
    const text = sql.replace(guards, "");
    try {
      await runOnScratch(server, client, text);
      await client.query("RESET ALL"); // a dump empties search_path; the next file starts as this one
    } catch (error) {
      const { message, position, hint, detail } = error as pg.DatabaseError;
      const more = [detail, hint].filter((part) => part !== undefined).map((part) => `\n  ${part}`);
      const place = `${name}${lineAt(text, position)}`;
      throw new UserError(`The models do not load: ${place}: ${message}${more.join("")}`, { cause: error });
    }
  }
}
