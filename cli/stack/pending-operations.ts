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
