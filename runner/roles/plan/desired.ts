import { type ObjectKind, rights } from "../../config/access.ts";
import { concernsSchema, concernsTable, type Exclusion, parseExclusion } from "../../config/exclusion.ts";
import type { RoleDeclaration } from "../../config/role-declaration.ts";
import { ownSchema } from "../../postgres/sql.ts";
import { type CatalogObject, publicGrantee } from "../catalog/objects.ts";

/** Privileges that can be held on single columns. */
const columnPrivileges = new Set(["SELECT", "INSERT", "UPDATE", "REFERENCES"]);

/** What a grantee should hold on an object: on the whole, and on columns alone. */
export interface Desired {
  readonly whole: readonly string[];
  readonly columns: Readonly<Record<string, readonly string[]>>;
}

/** Default privileges: what a grantee should hold on what the creator makes. */
export interface DesiredDefault {
  readonly creator: string;
  /** Undefined: in every schema. */
  readonly schema: string | undefined;
  readonly kind: ObjectKind;
  readonly held: readonly string[];
}

/** A grantee's rights as a whole: what it should hold on an object, and on those to come. */
export interface Rule {
  readonly on: (object: CatalogObject) => Desired;
  readonly defaults: readonly DesiredDefault[];
}

/** What a grantee holds on single columns. */
export function heldOnColumns({ columns }: CatalogObject, grantee: string): Desired["columns"] {
  const held = Object.entries(columns).map(([name, acl]) => [name, acl.get(grantee) ?? []] as const);
  return Object.fromEntries(held);
}

/** No right at all. */
export const nothing: Desired = { whole: [], columns: {} };

/** The schemas that the role may use, of those that exist or are declared; never pgstack's own. */
function schemasOf(declaration: RoleDeclaration, existing: readonly string[]): Set<string> {
  const all = declaration.allSchemas ? [...declaration.schemas, ...existing] : declaration.schemas;
  return new Set(all.filter((schema) => schema !== ownSchema));
}

/** An exclusion of a parent holds for its partitions too: they hold its rows. */
function exclusionsOf(object: CatalogObject, exclusions: readonly Exclusion[]): Exclusion[] {
  const names = [object, ...object.parents];
  return exclusions.filter((one) => names.some(({ schema, name }) => concernsTable(one, schema, name)));
}

function onTable(
  object: CatalogObject,
  wanted: readonly string[],
  exclusions: readonly Exclusion[],
): Desired {
  const matching = exclusionsOf(object, exclusions);
  if (matching.some(({ column }) => column === undefined)) return nothing;
  const hidden = Object.keys(object.columns).filter((name) =>
    matching.some(({ column }) => column?.test(name)),
  );
  if (hidden.length === 0) return { whole: wanted, columns: {} };
  const visible = Object.keys(object.columns).filter((name) => !hidden.includes(name));
  const onColumns = wanted.filter((privilege) => columnPrivileges.has(privilege));
  return {
    whole: wanted.filter((privilege) => !columnPrivileges.has(privilege)),
    columns: Object.fromEntries(visible.map((name) => [name, onColumns])),
  };
}

/** A view or policy calls a function with the reader's rights, so the reader needs EXECUTE; not on one that lends its owner's. */
function onFunction({ calledByViews, securityDefiner }: CatalogObject, wanted: readonly string[]): Desired {
  return { whole: calledByViews && !securityDefiner ? ["EXECUTE"] : wanted, columns: {} };
}

function defaultsIn(schema: string | undefined, creator: string, wanted: Partial<typeof rights.readonly>) {
  return Object.entries(wanted).map(([kind, held]) => ({ creator, schema, kind: kind as ObjectKind, held }));
}

/**
 * Rights on what comes later. A role of every schema has them in new schemas too, by default privileges that name none.
 * A schema that an exclusion concerns gets none: what comes there is granted by the next update, when it can be told
 * from what is excluded.
 */
function desiredDefaults(
  { access, allSchemas }: RoleDeclaration,
  schemas: Iterable<string>,
  exclusions: readonly Exclusion[],
  creators: readonly string[],
): DesiredDefault[] {
  const { database: _, schema, ...objects } = rights[access];
  if (allSchemas && exclusions.length === 0)
    return creators.flatMap((creator) => defaultsIn(undefined, creator, { schema, ...objects }));
  const open = [...schemas].filter((schema) => !exclusions.some((one) => concernsSchema(one, schema)));
  return creators.flatMap((creator) => open.flatMap((schema) => defaultsIn(schema, creator, objects)));
}

/** What the declared role should hold. `existing` names the schemas that are there. */
export function ruleOf(
  declaration: RoleDeclaration,
  existing: readonly string[],
  creators: readonly string[],
): Rule {
  const schemas = schemasOf(declaration, existing);
  const exclusions = declaration.exclude.map((text) => parseExclusion(text, [...schemas, ...existing]));
  const wanted = rights[declaration.access];
  return {
    on: (object) => {
      if (object.kind === "database") return { whole: wanted.database, columns: {} };
      if (!schemas.has(object.schema)) return nothing;
      if (object.kind === "table") return onTable(object, wanted.table, exclusions);
      if (object.kind === "function") return onFunction(object, wanted.function);
      return { whole: wanted[object.kind], columns: {} };
    },
    defaults: desiredDefaults(
      declaration,
      [...schemas].filter((schema) => existing.includes(schema)),
      exclusions,
      creators.filter((name) => name !== declaration.role),
    ),
  };
}

/** What PUBLIC is left with of what it holds on an object. */
function leftToPublic({ kind, securityDefiner }: CatalogObject, held: readonly string[]): readonly string[] {
  if (kind === "database" || (kind === "function" && securityDefiner)) return [];
  return kind === "schema" ? held.filter((privilege) => privilege !== "CREATE") : held;
}

/**
 * PUBLIC does not connect, makes nothing in a schema, and runs no function that lends its owner's privileges.
 * @param extensionCreators those of the creators who make extensions: their functions keep what the extension's script gives
 */
export function publicRule(creators: readonly string[], extensionCreators: readonly string[] = []): Rule {
  return {
    on: (object) => ({
      whole: leftToPublic(object, object.acl.get(publicGrantee) ?? []),
      columns: heldOnColumns(object, publicGrantee),
    }),
    defaults: creators.map((creator) => ({
      creator,
      schema: undefined,
      kind: "function",
      held: extensionCreators.includes(creator) ? ["EXECUTE"] : [],
    })),
  };
}
