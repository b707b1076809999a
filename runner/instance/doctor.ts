import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { installedPrograms } from "../postgres/programs.ts";
import { childEnvironment } from "../util/child-environment.ts";

const run = promisify(execFile);

/** One thing that pgstack needs, as it was found on this machine. */
export interface Finding {
  readonly name: string;
  /** Version and place, or undefined where it is missing. */
  readonly found: string | undefined;
  /** What to do where it is missing. */
  readonly remedy: string;
}

const leastNode = [22, 18] as const;

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const fits = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1]);
  return {
    name: "Node",
    found: fits ? `${process.version} (${process.execPath})` : undefined,
    remedy: `Node ${process.version} cannot run TypeScript; ./pgstack brings in a newer one`,
  };
}

async function pulumi(): Promise<Finding> {
  const env = childEnvironment();
  const answer = await run("pulumi", ["version"], { env }).catch(() => undefined);
  const place = await run("sh", ["-c", "command -v pulumi"], { env }).catch(() => undefined);
  return {
    name: "Pulumi",
    found: answer && `${answer.stdout.trim()} (${place?.stdout.trim()})`,
    remedy: "./pgstack downloads or builds it; or see https://www.pulumi.com/docs/install/",
  };
}

function plugin(name: string, env: NodeJS.ProcessEnv): Finding {
  const directory = join(env.PULUMI_HOME ?? join(homedir(), ".pulumi"), "plugins");
  const versions = existsSync(directory) ? readdirSync(directory) : [];
  const found = versions.filter((entry) => new RegExp(`^resource-${name}-v[0-9.]+$`).test(entry));
  return {
    name: `plugin ${name}`,
    found: found.length === 0 ? undefined : `${found.join(", ")} (${directory})`,
    remedy: `Pulumi fetches it at the first up; by hand: pulumi plugin install resource ${name}`,
  };
}

async function programs(program: string, purpose: string, remedy: string): Promise<Finding> {
  const found = (await installedPrograms(program)).map(
    ({ version, directory }) => `${version} (${directory})`,
  );
  return { name: `PostgreSQL ${purpose}`, found: found.join(", ") || undefined, remedy };
}

/** Everything that pgstack needs on this machine. */
export async function findings(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const install =
    "install PostgreSQL (Debian: apt-get install postgresql; macOS: brew install postgresql@18)";
  return [
    node(),
    await pulumi(),
    plugin("command", env),
    plugin("postgresql", env),
    await programs(
      "initdb",
      "server programs",
      `local instances and scratch databases use a server that is fetched from npm's registry; or ${install}`,
    ),
    await programs("pg_dump", "client programs", `${install}: dumps, restores and psql need them`),
  ];
}
