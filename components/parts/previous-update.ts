import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import type { DatabaseConfig } from "../../runner/config/database.ts";
import type { Names } from "./names.ts";
import { refuse } from "./refusal.ts";

/** What a database's last update left as outputs; empty before the first one. */
export interface PreviousOutputs {
  readonly database?: string;
  readonly owner?: string;
  /** Reports of what was dumped and restored. */
  readonly dump?: object | null;
  readonly restore?: object | null;
}

/** A resource of the stack's state. */
export interface StateResource {
  readonly type: string;
  /** As the program names it. */
  readonly name: string;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** What the state held when the program started, asked for once. */
export interface PreviousState {
  readonly resources: () => Promise<readonly StateResource[]>;
  /** Of the stack itself. */
  readonly stackOutputs: () => Promise<Readonly<Record<string, unknown>>>;
}

function ownName(): string {
  return `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
}

/**
 * Asks the engine for this stack's own state, which the engine writes meanwhile. The attributes that lie beside the state of a
 * file backend are written in place (fileblob in gocloud.dev): a reader that meets them half-written gets "EOF".
 */
async function askForState(token: string, args: pulumi.Inputs): Promise<unknown> {
  for (let attempts = 1; ; attempts++)
    try {
      return await pulumi.runtime.invoke(token, args);
    } catch (error) {
      if (attempts === 20 || !/EOF/.test((error as Error).message)) throw error;
      await sleep(50);
    }
}

async function readStackOutputs(): Promise<Readonly<Record<string, unknown>>> {
  const answer = await askForState("pulumi:pulumi:readStackOutputs", { name: ownName() });
  return (answer as { outputs?: Readonly<Record<string, unknown>> }).outputs ?? {};
}

async function readResources(): Promise<StateResource[]> {
  const answer = await askForState("pulumi:pulumi:readStackResourceOutputs", { stackName: ownName() });
  const { outputs = {} } = answer as { outputs?: Readonly<Record<string, Omit<StateResource, "name">>> };
  return Object.entries(outputs).map(([urn, resource]) => ({
    ...resource,
    name: urn.split("::").slice(3).join("::"),
  }));
}

/** The value of `read`, read when it is first asked for. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | undefined;
  return () => {
    reading ??= read();
    return reading;
  };
}

/** Asks the engine for the state that the last update left. */
export function previousState(): PreviousState {
  return { resources: once(readResources), stackOutputs: once(readStackOutputs) };
}

/** A database of the program, as far as the state knows it. */
export interface Known {
  /** The component's name. */
  readonly component: string;
  readonly names: Names;
  readonly state: PreviousState;
}

const componentType = "pgstack:index:Database";

/** What the database's last update left. A stack of a checkout made before there was a package kept it as outputs of its own. */
export async function previousOutputs({ component, names, state }: Known): Promise<PreviousOutputs> {
  const ofStack = names.isCheckout ? await state.stackOutputs() : {};
  if (typeof ofStack.database === "string") return ofStack; // far smaller than all resources
  const resources = await state.resources();
  return resources.find(({ type, name }) => type === componentType && name === component)?.outputs ?? {};
}

/** Names, on the server, of the roles in the stack's state that belong to the database. */
export async function rolesInState({ names, state }: Known): Promise<string[]> {
  const roles = (await state.resources()).filter(({ type }) => type === "postgresql:index/role:Role");
  return roles
    .map(({ name, outputs }) => ({ name, role: String(outputs.name) }))
    .filter(({ name, role }) => name === names.ofRole(role, "-role"))
    .map(({ role }) => role);
}

/** Whether the stack's state has a database of this name. */
export async function isDatabaseInState(database: string, { state }: Known): Promise<boolean> {
  const databases = (await state.resources()).filter(
    ({ type }) => type === "postgresql:index/database:Database",
  );
  return databases.some(({ outputs }) => outputs.name === database);
}

/** Names of the migrations that have a record in the stack's state: those that the stack reverts when their record goes. */
export async function recordedMigrations({ names, state }: Known): Promise<Set<string>> {
  const prefix = names.of("migration-");
  const all = (await state.resources()).map(({ name }) => name);
  return new Set(all.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)));
}

/** Of the PostgreSQL provider, what an import declares; it ends no other resource where nothing else is in the state. */
const imported = /^postgresql:index\/(role:Role|database:Database|schema:Schema|extension:Extension)$/;

/** Names of resources in the state whose end changes the server, and which a step that only imports does not declare. */
async function endedByImport({ component, names, state }: Known): Promise<string[]> {
  const resources = await state.resources();
  const others = resources.filter(({ type, name }) => type === componentType && name !== component);
  const isOurs = (name: string) =>
    names.isCheckout
      ? !others.some((other) => name.startsWith(`${other.name}-`))
      : name.startsWith(`${component}-`);
  const ended = resources.filter(({ type, outputs }) =>
    type === "command:local:Command"
      ? outputs.delete && !String(outputs.delete).endsWith(" instance-remove")
      : type.startsWith("postgresql:") && !imported.test(type),
  );
  return ended.map(({ name }) => name).filter(isOurs);
}

function renames(database: DatabaseConfig, previous: PreviousOutputs): string[] {
  const faults: string[] = [];
  if (previous.database !== undefined && previous.database !== database.name)
    faults.push(
      `pgstack:database.name: expected "${previous.database}", this stack's database, found "${database.name}", which would be another, ` +
        `empty database. Nothing was changed. To move the contents, give "${database.name}" to a new stack that has this one as its cutover.from, ` +
        `or a dump of this one as its restore.from. To give up "${previous.database}" and all that is in it, destroy this stack first.`,
    );
  if (previous.owner !== undefined && previous.owner !== database.owner)
    faults.push(
      `pgstack:database.owner: expected "${previous.owner}", who owns this stack's database, found "${database.owner}". A stack does not ` +
        `change its owner. Nothing was changed. To move the contents to another owner, make a new stack that has this one as its cutover.from, ` +
        `or a dump of this one as its restore.from.`,
    );
  return faults;
}

async function pastImport(importOnly: boolean, known: Known): Promise<string[]> {
  const ended = importOnly ? await endedByImport(known) : [];
  if (ended.length === 0) return [];
  const named = `${ended.slice(0, 5).join(", ")}${ended.length > 5 ? ` and ${ended.length - 5} more` : ""}`;
  return [
    `pgstack:adopt.importOnly: expected false, since this stack is past its import, found true. An import declares nothing else, so that it ` +
      `would end, and revert, what the stack has made since: ${named}. Nothing was changed. Take importOnly out of the configuration.`,
  ];
}

/** What of a configuration is held against the state. */
export interface Wanted {
  readonly database: DatabaseConfig;
  readonly adopt: { readonly importOnly: boolean };
}

/** Refuses a configuration that would make something else of a database than it is. Throws RunError in an update. */
export async function checkPrevious({ database, adopt }: Wanted, known: Known): Promise<PreviousOutputs> {
  const previous = await previousOutputs(known);
  refuse([...renames(database, previous), ...(await pastImport(adopt.importOnly, known))]);
  return previous;
}
