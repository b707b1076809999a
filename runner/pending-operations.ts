/** The part of `pulumi stack export` that tells of operations which an engine began and did not finish. */
interface Checkpoint {
  readonly deployment?: { readonly pending_operations?: readonly Operation[] };
}

interface Operation {
  readonly type: string;
  readonly resource: {
    readonly urn: string;
    readonly type: string;
    readonly inputs?: Readonly<Record<string, unknown>>;
  };
}

type Inputs = Readonly<Record<string, unknown>>;

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

/** The flags that let `pulumi refresh` take over what was being made: each URN with the identifier to look for. */
export function importFlags(checkpoint: Checkpoint): string[] {
  return (checkpoint.deployment?.pending_operations ?? [])
    .filter(({ type }) => type === "creating")
    .flatMap(({ resource }) => {
      const identifier = identifiers[resource.type]?.(resource.inputs ?? {});
      if (identifier === undefined) return [];
      return [`--import-pending-creates=${resource.urn}`, `--import-pending-creates=${identifier}`];
    });
}
