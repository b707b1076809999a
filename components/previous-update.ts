import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../runner/config/parse.ts";
import { refuse } from "./refusal.ts";

/** What this stack's last update left as outputs; empty before the first one. */
export interface PreviousOutputs {
  readonly database?: string;
  readonly owner?: string;
  readonly roles?: readonly { readonly name: string }[];
  /** Reports of what was dumped and restored. */
  readonly dump?: object | null;
  readonly restore?: object | null;
}

/** A resource of the stack's state. */
interface StateResource {
  readonly type: string;
  readonly outputs: Readonly<Record<string, unknown>>;
}

function ownName(): string {
  return `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
}

/** Asks the engine for the outputs of this stack's last update. */
export async function previousOutputs(): Promise<PreviousOutputs> {
  const answer = await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name: ownName() });
  return (answer as { outputs?: PreviousOutputs }).outputs ?? {};
}

async function stateResources(): Promise<(StateResource & { readonly name: string })[]> {
  const answer = await pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {
    stackName: ownName(),
  });
  const { outputs = {} } = answer as { outputs?: Readonly<Record<string, StateResource>> };
  return Object.entries(outputs).map(([urn, resource]) => ({
    ...resource,
    name: urn.split("::").slice(3).join("::"),
  }));
}

/** Names, on the server, of the roles in this stack's state. */
export async function recordedRoles(): Promise<Set<unknown>> {
  const roles = (await stateResources()).filter(({ type }) => type === "postgresql:index/role:Role");
  return new Set(roles.map(({ outputs }) => outputs.name));
}

const recordPrefix = "migration-";

/** Names of the migrations that have a record in this stack's state: those that the stack reverts when their record goes. */
export async function recordedMigrations(): Promise<Set<string>> {
  const names = (await stateResources()).map(({ name }) => name);
  return new Set(
    names.filter((name) => name.startsWith(recordPrefix)).map((name) => name.slice(recordPrefix.length)),
  );
}

/** Of the PostgreSQL provider, what an import declares; it ends no other resource where nothing else is in the state. */
const imported = /^postgresql:index\/(role:Role|database:Database|schema:Schema|extension:Extension)$/;

/** Names of resources in the state whose end changes the server, and which a step that only imports does not declare. */
async function endedByImport(): Promise<string[]> {
  const ended = (await stateResources()).filter(({ type, name, outputs }) =>
    type === "command:local:Command"
      ? outputs.delete && name !== "instance-local"
      : type.startsWith("postgresql:") && !imported.test(type),
  );
  return ended.map(({ name }) => name);
}

function renames({ database }: StackConfig, previous: PreviousOutputs): string[] {
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

async function pastImport({ adopt }: StackConfig): Promise<string[]> {
  const ended = adopt.importOnly ? await endedByImport() : [];
  if (ended.length === 0) return [];
  const named = `${ended.slice(0, 5).join(", ")}${ended.length > 5 ? ` and ${ended.length - 5} more` : ""}`;
  return [
    `pgstack:adopt.importOnly: expected false, since this stack is past its import, found true. An import declares nothing else, so that it ` +
      `would end, and revert, what the stack has made since: ${named}. Nothing was changed. Take importOnly out of the configuration.`,
  ];
}

/** Refuses a configuration that would make something else of this stack than it is. Throws RunError in an update. */
export async function checkPrevious(config: StackConfig): Promise<PreviousOutputs> {
  const previous = await previousOutputs();
  refuse([...renames(config, previous), ...(await pastImport(config))]);
  return previous;
}
