import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { parseDocument } from "yaml";
import type { StackFacts } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { RefusedError, UserError } from "../../runner/util/errors.ts";
import { stackFileOf } from "../project.ts";
import { type Answer, type Pulumi, reasonOf } from "../pulumi/pulumi.ts";
import { chooseDatabase, databasesOf } from "./databases.ts";
import type { Checkpoint } from "./pending-operations.ts";

/** A stack that Pulumi does not know. */
const unknown = /no stack named/;

/** What Pulumi answers about a stack; undefined where there is none of that name. Throws UserError for any other failure. */
function answerOf({ code, stdout, stderr }: Answer, what: string): string | undefined {
  if (code === 0) return stdout;
  if (unknown.test(stderr)) return undefined;
  throw new UserError(`pulumi could not tell ${what}: ${reasonOf(stderr)}`);
}

/** The state of a stack, with its secrets locked as the backend keeps them; undefined where there is no such stack. */
export async function exportState(pulumi: Pulumi, { given }: StackName): Promise<string | undefined> {
  return answerOf(await pulumi.ask(["stack", "export", "--stack", given]), `the state of stack ${given}`);
}

/** What tells the last update that ended from others; empty before the first. Backends of files do not number them. */
export async function lastUpdate(pulumi: Pulumi, { given }: StackName): Promise<string> {
  const text = await pulumi.demand(["stack", "history", "--json", "--page-size", "1", "--stack", given]);
  const [last] = JSON.parse(text.trim() || "[]") as { version: number; startTime: string }[];
  return last === undefined ? "" : `${last.version} ${last.startTime}`;
}

/** Puts a state in place of the present one. It travels by pipe: Pulumi's Automation API writes it to a file, secrets in clear. */
export async function importState(pulumi: Pulumi, { given }: StackName, state: string): Promise<void> {
  await pulumi.demand(["stack", "import", "--stack", given], state);
}

/** One key as `pulumi config --json` prints it. */
interface Setting {
  readonly value?: string;
  readonly objectValue?: unknown;
}

const namespace = "pgstack:";

function settingValue({ value, objectValue }: Setting): unknown {
  if (objectValue !== undefined) return objectValue;
  return value === "true" ? true : value === "false" ? false : value;
}

function configOf(settings: Readonly<Record<string, Setting>>): StackFacts["config"] {
  const ours = Object.entries(settings).filter(([key]) => key.startsWith(namespace));
  return Object.fromEntries(
    ours.map(([key, setting]) => [key.slice(namespace.length), settingValue(setting)]),
  );
}

/** The facts of a database whose arguments stand in a program: what its component says of itself in the state. */
async function readProgramFacts(
  pulumi: Pulumi,
  { stack, given }: StackName,
  database: string | undefined,
): Promise<StackFacts | undefined> {
  const answer = await pulumi.ask(["stack", "export", "--show-secrets", "--stack", given]);
  const state = answerOf(answer, `the state of stack ${given}`);
  const databases = state === undefined ? [] : databasesOf(JSON.parse(state) as Checkpoint);
  if (databases.length === 0 && database === undefined) return undefined;
  const { component, outputs, config } = chooseDatabase(databases, database, stack);
  return { name: stack, outputs, config, component };
}

/**
 * The stack's outputs and configuration, secrets in clear; both empty before the first `up`. Where a program holds the
 * arguments of its databases, the facts of one of them. Throws RefusedError where there is neither a stack of that name nor
 * its file, and where it is not clear which database is meant.
 *
 * @param database the component's name in the program, or the database's on its server
 */
export async function readFacts(pulumi: Pulumi, name: StackName, database?: string): Promise<StackFacts> {
  const facts = await readStackFacts(pulumi, name);
  if (database === undefined && facts.config.database !== undefined) return facts; // the stack's file configures its one database
  return (await readProgramFacts(pulumi, name, database)) ?? facts;
}

async function readStackFacts(pulumi: Pulumi, name: StackName): Promise<StackFacts> {
  const { stack, given } = name;
  const [outputs, settings] = await Promise.all([
    pulumi.ask(["stack", "output", "--json", "--show-secrets", "--stack", given]),
    pulumi.ask(["config", "--json", "--show-secrets", "--stack", given]),
  ]);
  const known = answerOf(outputs, `the outputs of stack ${given}`);
  if (known !== undefined) {
    const config = answerOf(settings, `the configuration of stack ${given}`) ?? "{}";
    return { name: stack, outputs: JSON.parse(known), config: configOf(JSON.parse(config)) };
  }
  if (!existsSync(stackFileOf(pulumi.project, name)))
    throw new RefusedError(`there is no stack "${given}": its configuration would be Pulumi.${stack}.yaml`);
  return { name: stack, outputs: {}, config: {} };
}

/** Whether Pulumi knows a stack of that name. */
export async function stackExists(pulumi: Pulumi, name: StackName): Promise<boolean> {
  const answer = await pulumi.ask(["stack", "output", "--json", "--stack", name.given]);
  return answerOf(answer, `whether there is a stack ${name.given}`) !== undefined;
}

/** A salt belongs to the passphrase of the checkout that made it. Without secrets below it, a new one does as well. */
function forgetLostPassphrase({ project, environment }: Pulumi, name: StackName): void {
  const file = stackFileOf(project, name);
  const text = readFileSync(file, "utf8");
  const document = parseDocument(text);
  if (environment.PULUMI_CONFIG_PASSPHRASE_FILE === undefined || !document.has("encryptionsalt")) return;
  if (/\bsecure:/.test(text))
    throw new RefusedError(
      `Pulumi.${name.stack}.yaml holds secrets that another passphrase locks: set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to it`,
    );
  document.delete("encryptionsalt");
  writeFileSync(`${file}.new`, document.toString());
  renameSync(`${file}.new`, file);
}

/** Makes a stack that does not exist. Throws RefusedError where it has no configuration. */
export async function createStack(
  pulumi: Pulumi,
  name: StackName,
  log: (line: string) => void,
): Promise<void> {
  const { stack, given } = name;
  if (!existsSync(stackFileOf(pulumi.project, name)))
    throw new RefusedError(
      `stack "${given}" has no configuration: write Pulumi.${stack}.yaml (Pulumi.dev.yaml is an example)`,
    );
  forgetLostPassphrase(pulumi, name);
  log(`pgstack: creating stack ${given}`);
  const { openWorkspace } = await import("../pulumi/workspace.ts"); // loads slowly, and most runs do without
  const workspace = await openWorkspace(pulumi);
  await workspace.createStack(given).catch((error: Error) => {
    if (!/already exists/.test(error.message)) throw error; // another run was quicker
  });
}

/** Sets one key of a stack's configuration, such as `pgstack:migrations.to`; it is no secret. */
export async function setConfig(
  pulumi: Pulumi,
  { given }: StackName,
  key: string,
  value: string,
): Promise<void> {
  const { openWorkspace } = await import("../pulumi/workspace.ts");
  await (await openWorkspace(pulumi)).setConfig(given, key, { value }, true);
}

/** Sets one key to a secret. It travels by pipe: Pulumi's Automation API puts it on a command line. */
export async function setSecret(
  pulumi: Pulumi,
  { given }: StackName,
  key: string,
  value: string,
): Promise<void> {
  await pulumi.demand(["config", "set", "--secret", key, "--stack", given], value);
}
