import { type ChildProcess, execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ConnectionSettings, environmentOf, withClient } from "../../runner/postgres/connection.ts";
import { projectRoot } from "../../runner/util/project.ts";
import type { ThrowawayCluster } from "./throwaway-cluster.ts";

const run = promisify(execFile);

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A connection as a URL, with its password. */
export function connectionUrl({
  user,
  password = "",
  host,
  port,
  database,
  ...tls
}: ConnectionSettings): string {
  const url = new URL(`postgres://${host}:${port}/${encodeURIComponent(database)}`);
  [url.username, url.password] = [encodeURIComponent(user), encodeURIComponent(password)];
  if (tls.sslMode !== "disable") url.searchParams.set("sslmode", tls.sslMode);
  if (tls.sslRootCert !== undefined) url.searchParams.set("sslrootcert", tls.sslRootCert);
  return url.href;
}

/** The connection URL of one database of a cluster. */
export function urlOf({ admin }: ThrowawayCluster, database: string, user = admin.user): string {
  const password = user === admin.user ? admin.password : user;
  return connectionUrl({ ...admin, database, user, password });
}

/** Runs a command in a process of its own; `stdin` and `env` as a resource would give them. */
export async function runCommand(
  args: readonly string[],
  given: { stdin?: string; env?: Record<string, string | undefined> } = {},
): Promise<Ended> {
  const child = startCommand(args, given.env);
  child.stdin?.end(given.stdin ?? "");
  return endOf(child);
}

/** How a command ends, and all that it prints from now on. */
export async function endOf(child: ChildProcess): Promise<Ended> {
  const [out, err] = [child.stdout, child.stderr].map(async (stream) => {
    let text = "";
    for await (const chunk of stream ?? []) text += chunk;
    return text;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout: (await out) ?? "", stderr: (await err) ?? "" };
}

/** Starts a command, for tests that end it before it is done. */
export function startCommand(
  args: readonly string[],
  env: Record<string, string | undefined> = {},
): ChildProcess {
  return spawn(process.execPath, [join(projectRoot, "runner", "main.ts"), ...args], {
    env: { ...process.env, ...env } as NodeJS.ProcessEnv,
  });
}

/** Runs a line of shell in the project's root, with more in its environment. */
export async function runShell(line: string, env: Record<string, string>): Promise<Ended> {
  const options = { cwd: projectRoot, env: { ...process.env, ...env } };
  return run("sh", ["-c", line], options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  );
}

/** Runs SQL on a database of the cluster, text by text; gives the rows of the last, where that is one statement. */
export async function sql(
  settings: ConnectionSettings,
  ...texts: string[]
): Promise<Record<string, unknown>[]> {
  return withClient(settings, async (client) => {
    let rows: Record<string, unknown>[] = [];
    for (const text of texts) ({ rows = [] } = await client.query(text));
    return rows;
  });
}

/** The database as an SQL script, without owners and rights, nor lines that differ each time. */
export async function scriptOf(
  { place }: ThrowawayCluster,
  settings: ConnectionSettings,
  ...args: string[]
): Promise<string> {
  const { stdout } = await run(
    join(place.programs.directory, "pg_dump"),
    ["--no-owner", "--no-acl", ...args],
    {
      env: { ...process.env, ...environmentOf(settings) },
      maxBuffer: 1 << 28,
    },
  );
  return stdout.replace(/^\\(un)?restrict .*$/gm, "");
}
