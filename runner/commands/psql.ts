import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Command, StackFacts } from "../cli/command.ts";
import { connectionOfStack, databaseFlag, stackFacts, stackFlag } from "../cli/target.ts";
import { type ConnectionSettings, environmentOf, loggedIn } from "../postgres/connection.ts";
import { findPrograms } from "../postgres/programs.ts";
import { childEnvironment } from "../util/child-environment.ts";
import { ExitCode, RefusedError, UserError } from "../util/errors.ts";

/** The stack's database as one of its roles, its owner (the default) or the server's admin. Throws RefusedError. */
function connectionAs(facts: StackFacts, role: string | undefined): ConnectionSettings {
  const { name, outputs } = facts;
  const {
    owner,
    database,
    databaseUrl,
    urls = {},
    admin,
  } = outputs as {
    owner?: string;
    database?: string;
    databaseUrl?: string;
    urls?: Record<string, string>;
    admin?: ConnectionSettings;
  };
  if (databaseUrl === undefined)
    throw new RefusedError(`Stack "${name}" has no database yet: run ./pgstack up ${name} first`);
  if (role === undefined || role === owner) return connectionOfStack(facts, databaseUrl);
  const url = urls[role];
  if (url !== undefined) return connectionOfStack(facts, url);
  if (admin?.user === role) return { ...admin, database: database ?? admin.database };
  const known = [owner, ...Object.keys(urls), admin?.user].filter((one) => one !== undefined);
  throw new RefusedError(`Stack "${name}" has no role "${role}"; it has: ${[...new Set(known)].join(", ")}`);
}

/** What psql itself reads of a person's habits: https://www.postgresql.org/docs/current/app-psql.html */
const habits = [
  "PAGER",
  "PSQL_PAGER",
  "EDITOR",
  "VISUAL",
  "PSQL_EDITOR",
  "PSQLRC",
  "PSQL_HISTORY",
  "INPUTRC",
  "LESS",
  "COLORTERM",
  "COLUMNS",
];

/** psql's environment: a person's habits and the way to one database as one role. Settings of its sessions are the role's own. */
function environment(env: NodeJS.ProcessEnv, settings: ConnectionSettings): Record<string, string> {
  const { PGAPPNAME: _, ...way } = environmentOf(settings);
  const kept = Object.fromEntries(
    habits.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
  return childEnvironment({ ...kept, ...way }, env);
}

async function runPsql(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { directory } = await findPrograms("psql");
  const ignore = () => {}; // Ctrl-C is psql's: it ends a query, not the session
  process.on("SIGINT", ignore);
  try {
    const child = spawn(join(directory, "psql"), args, { stdio: "inherit", env });
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 1;
  } catch (error) {
    throw new UserError(`Cannot start psql: ${(error as Error).message}`, { cause: error });
  } finally {
    process.off("SIGINT", ignore);
  }
}

const psql: Command = {
  summary: "opens psql as a role of a stack (default: the owner); the password is on no command line",
  usage: "psql [--stack S] [--role NAME] [-- PSQL ARGUMENTS]",
  flags: {
    stack: stackFlag,
    database: databaseFlag,
    role: { type: "string", value: "NAME", about: "the role to connect as (default: the owner)" },
  },
  stackWord: 0,
  defaultStack: "dev",
  run: async ({ flags, words, env, facts }) => {
    const role = typeof flags.role === "string" ? flags.role : undefined;
    const settings = connectionAs(stackFacts({ flags, facts }), role);
    const code = await runPsql(words, environment(env, await loggedIn(settings)));
    return code === 0 ? ExitCode.done : ExitCode.failed;
  },
};

export default psql;
