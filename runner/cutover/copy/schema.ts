import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ConnectionSettings, loggedIn } from "../../postgres/connection.ts";
import { splitDumpText } from "../../postgres/dump-text.ts";
import { findPrograms } from "../../postgres/programs.ts";
import { programEnvironment } from "../../postgres/run-program.ts";
import { UserError } from "../../util/errors.ts";
import { writeBlockName } from "../freeze/write-block.ts";
import { ownPrefix } from "../moved-objects.ts";
import { stateSchema } from "../state/state.ts";
import type { UserMapping } from "./ownership.ts";
import type { SchemaEntry } from "./post-data.ts";
import { lockSeconds, TablesInUse } from "./snapshot.ts";

const run = promisify(execFile);

/** A schema as SQL: what comes before the rows, and what comes after them. */
export interface SchemaDump {
  readonly preData: string;
  readonly postData: readonly SchemaEntry[];
}

interface TocLine {
  readonly line: string;
  readonly type: string;
  /** Schema, name and owner, as pg_restore lists them. */
  readonly rest: string;
}

const types = /^(\d+; \d+ \d+) ((?:[A-Z]+ )*[A-Z]+) (.*)$/;

function parseList(list: string): TocLine[] {
  return list.split("\n").flatMap((line) => {
    const found = line.match(types);
    return found === null ? [] : [{ line, type: found[2] ?? "", rest: found[3] ?? "" }];
  });
}

/** What a target has already, or cannot have. */
interface LeftOut {
  /** Schemas that the target has and keeps. */
  readonly presentSchemas: readonly string[];
  /** Mappings of users that are no roles of the target. */
  readonly userMappings: readonly UserMapping[];
}

/** Neither our own objects travel, nor schemas that the target has, nor mappings of users that it has not. */
function travels({ type, rest }: TocLine, { presentSchemas, userMappings }: LeftOut): boolean {
  if (type === "SCHEMA") return !presentSchemas.some((name) => rest.startsWith(`- ${name} `));
  if (type === "USER MAPPING")
    return !userMappings.some(({ user, server }) =>
      rest.startsWith(`- USER MAPPING ${user} SERVER ${server} `),
    );
  if (type === "TRIGGER" || type === "EVENT TRIGGER") return !rest.includes(` ${writeBlockName} `);
  if (type === "COMMENT" && rest.startsWith(`- PUBLICATION ${ownPrefix}`)) return false;
  if (type.startsWith("PUBLICATION")) return !rest.includes(` ${ownPrefix}`);
  return type !== "SUBSCRIPTION";
}

/** Every name in a dump carries its schema, so that any search path serves it; the empty one breaks functions that rely on theirs. */
function withSearchPath(sql: string, searchPath: string): string {
  return sql
    .replace(/^\\(un)?restrict .*$/gm, "")
    .replace(/^SET transaction_timeout = 0;$/m, "") // written since 17, and unknown to older servers
    .replace(
      /^SELECT pg_catalog\.set_config\('search_path', '', false\);$/m,
      `SET search_path = ${searchPath};`,
    );
}

/** What a dump is made from. */
export interface DumpOptions {
  readonly source: ConnectionSettings;
  /** What is filled: by one copy at a time. */
  readonly target: ConnectionSettings;
  /** Major version of the newer of both servers. */
  readonly major: number;
  /** An exported snapshot. */
  readonly snapshot: string;
  readonly leftOut: LeftOut;
  /** As SQL writes it: what the database's sessions have. */
  readonly searchPath: string;
}

async function program(name: string, major: number): Promise<string> {
  const programs = await findPrograms(name, { major }).catch(() => findPrograms(name));
  return join(programs.directory, name);
}

/** The same for each copy into a target, so that what a killed one leaves goes with the next. */
export function workFolder({ host, port, database }: ConnectionSettings): string {
  const name = createHash("sha256").update(`${host} ${port} ${database}`).digest("hex").slice(0, 16);
  return join(tmpdir(), `pgstack-cutover-${name}`);
}

/**
 * Reads the source's schema by pg_dump under a snapshot, without owners and grants (they are carried by
 * name: see ownership.ts). Throws UserError with pg_dump's words, TablesInUse where it waited for a lock.
 */
export async function dumpSchema(options: DumpOptions): Promise<SchemaDump> {
  const directory = workFolder(options.target);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { mode: 0o700 });
  try {
    return await dumpInto(directory, options);
  } catch (error) {
    const said = (error as { stderr?: string }).stderr;
    if (said === undefined) throw error;
    if (/LOCK TABLE/.test(said)) throw new TablesInUse(error);
    throw new UserError(`pg_dump could not read the source's schema: ${said.trim()}`, { cause: error });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function dumpInto(directory: string, options: DumpOptions): Promise<SchemaDump> {
  const env = programEnvironment(await loggedIn(options.source));
  const [dump, restore] = await Promise.all(
    ["pg_dump", "pg_restore"].map((name) => program(name, options.major)),
  );
  const file = join(directory, "schema.dump");
  const excluded = `--exclude-schema=${stateSchema}`;
  const wait = `--lock-wait-timeout=${lockSeconds}s`;
  const flags = [wait, "-Fc", "-Z0", "--schema-only", "--no-owner", "--no-acl", "--no-tablespaces", excluded];
  await run(dump as string, [...flags, `--snapshot=${options.snapshot}`, `--file=${file}`], { env });
  const print = async (section: string) => {
    const args = ["--no-owner", "--no-acl", `--section=${section}`];
    const { stdout } = await run(restore as string, [...args, "--list", file], { env, ...large });
    const lines = parseList(stdout).filter((line) => travels(line, options.leftOut));
    const list = join(directory, `${section}.list`);
    await writeFile(list, lines.map(({ line }) => `${line}\n`).join(""));
    const text = await run(restore as string, [...args, `--use-list=${list}`, "--file=-", file], {
      env,
      ...large,
    });
    return withSearchPath(text.stdout, options.searchPath);
  };
  const [preData, postData] = await Promise.all([print("pre-data"), print("post-data")]);
  return { preData, postData: splitDumpText(postData) };
}

const large = { maxBuffer: 2 ** 30 };
