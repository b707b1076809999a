import type { Command } from "../../cli/command.ts";
import { resolveAdminTarget, type StackFacts, targetFlags } from "../../cli/target.ts";
import { connectionFromUrl, isMissingDatabase, withClient } from "../../postgres/connection.ts";
import { ExitCode, RefusedError } from "../../util/errors.ts";

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

const stackFacts: Command = {
  summary: "puts a stack's outputs and configuration into the form that verbs read from PGSTACK_STACK",
  usage: "stack-facts, with STACK, OUTPUTS and SETTINGS in the environment",
  flags: {},
  run: async ({ env, print }) => {
    const { STACK = "", OUTPUTS = "{}", SETTINGS = "{}" } = env;
    const found: StackFacts = {
      name: STACK,
      outputs: JSON.parse(OUTPUTS),
      config: configOf(JSON.parse(SETTINGS)),
    };
    print(JSON.stringify(found));
    return ExitCode.done;
  },
};

type Inputs = Readonly<Record<string, unknown>>;

/** A resource as a checkpoint holds it; what is not named here is kept as it is. */
interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly inputs?: Inputs;
  readonly [part: string]: unknown;
}

/** What an engine had begun when it was cut off. */
interface Operation {
  readonly type: string;
  readonly resource: Resource;
}

interface Deployment {
  readonly resources?: readonly Resource[];
  readonly pending_operations?: readonly Operation[];
  readonly [part: string]: unknown;
}

/** What `pulumi stack export` prints and `pulumi stack import` takes. */
export interface Checkpoint {
  readonly deployment: Deployment;
  readonly [part: string]: unknown;
}

/**
 * How the PostgreSQL provider names what exists, by resource type. Types that are missing here are safe to
 * make once more (grants, commands). https://www.pulumi.com/registry/packages/postgresql/
 */
const identifiers: Readonly<Record<string, (inputs: Inputs) => string>> = {
  "postgresql:index/role:Role": ({ name }) => String(name),
  "postgresql:index/database:Database": ({ name }) => String(name),
  "postgresql:index/schema:Schema": ({ database, name }) => `${database}.${name}`,
  "postgresql:index/extension:Extension": ({ database, name }) => `${database}.${name}`,
};

function asMade(resource: Resource): Resource[] {
  const { inputs = {} } = resource;
  const id = identifiers[resource.type]?.(inputs);
  return id === undefined ? [] : [{ ...resource, id, outputs: inputs }];
}

/**
 * Takes what was being made for made, so that a refresh finds out whether it is: one that is not there leaves the
 * state again. (`pulumi refresh --import-pending-creates` marks such operations and never reads them.)
 */
export function takeOver(checkpoint: Checkpoint): Checkpoint {
  const { resources = [], pending_operations: pending = [], ...rest } = checkpoint.deployment;
  const known = new Set(resources.map(({ urn }) => urn));
  const created = pending.filter(({ type }) => type === "creating").map(({ resource }) => resource);
  const made = new Map(
    created.filter(({ urn }) => !known.has(urn)).map((resource) => [resource.urn, resource]),
  );
  const deployment = {
    ...rest,
    resources: [...resources, ...[...made.values()].flatMap(asMade)],
    pending_operations: pending.filter(({ type }) => type !== "creating"),
  };
  return { ...checkpoint, deployment };
}

const pendingOperations: Command = {
  summary: "turns a stack's export into one that takes what a killed update was making for made",
  usage: "pending-operations < EXPORT",
  flags: {},
  run: async ({ stdin, print }) => {
    print(JSON.stringify(takeOver(JSON.parse(await stdin()))));
    return ExitCode.done;
  },
};

const urlPassword: Command = {
  summary:
    "prints the password of the URL in PGSTACK_URL, or PGPASSWORD, for a program that keeps it as a secret",
  usage: "url-password, with PGSTACK_URL in the environment",
  flags: {},
  run: async ({ env, print }) => {
    const { password } = connectionFromUrl(env.PGSTACK_URL ?? "", env);
    if (password === undefined) throw new RefusedError("--url has no password, and PGPASSWORD is not set");
    print(password);
    return ExitCode.done;
  },
};

/** What the entry script asks after an update that failed. */
const databaseState: Command = {
  summary: "whether the server knows the database: there, or absent",
  usage: "database-state --stack S",
  flags: targetFlags,
  run: async (call) => {
    const found = withClient(resolveAdminTarget(call), async () => "there").catch((error: unknown) => {
      if (!isMissingDatabase(error)) throw error;
      return "absent";
    });
    call.print(await found);
    return ExitCode.done;
  },
};

/** By the name that a resource calls it by. */
export const commands = {
  "stack-facts": stackFacts,
  "pending-operations": pendingOperations,
  "url-password": urlPassword,
  "database-state": databaseState,
} satisfies Record<string, Command>;
