import * as postgresql from "@pulumi/postgresql";
import type * as pulumi from "@pulumi/pulumi";
import { rights } from "../../runner/config/access.ts";
import { concernsSchema, parseExclusion } from "../../runner/config/exclusion.ts";
import type { RoleDeclaration } from "../../runner/config/role-declaration.ts";
import type { ProviderLimit } from "../../runner/roles/catalog/provider-limits.ts";
import type { Names } from "../parts/names.ts";

/** A role, as far as the provider states its rights. */
export interface StatedRole {
  readonly declaration: RoleDeclaration;
  /** Roles that it is made a member of. */
  readonly memberOf: readonly string[];
}

export interface StatedDatabase {
  readonly name: string;
  readonly owner: string;
  /** What the provider cannot state here. */
  readonly limits: readonly ProviderLimit[];
}

/** A right as a resource of the provider. */
export type StatedRight =
  | { readonly kind: "Grant"; readonly name: string; readonly args: GrantArgs }
  | { readonly kind: "DefaultPrivileges"; readonly name: string; readonly args: DefaultArgs }
  | { readonly kind: "GrantRole"; readonly name: string; readonly args: MembershipArgs };

interface GrantArgs {
  readonly role: string;
  readonly database: string;
  readonly schema?: string;
  readonly objectType: "database" | "schema" | "table" | "sequence";
  readonly privileges: string[];
}

interface DefaultArgs {
  readonly role: string;
  readonly database: string;
  readonly owner: string;
  readonly schema?: string;
  readonly objectType: "table" | "sequence" | "schema" | "function";
  readonly privileges: string[];
}

interface MembershipArgs {
  readonly role: string;
  readonly grantRole: string;
}

/** A schema's name within a resource's: quoted where a dash would make `a-b` in `c` and `a` in `b-c` the same. */
const inName = (schema: string) => (schema.includes("-") ? `"${schema}"` : schema);

/** What a role's rights on tables are called. */
const words = { readonly: "select", readwrite: "write" } as const;

const sorted = (privileges: readonly string[]) => [...privileges].sort();

/** The declared schemas of a role in which nothing is excluded. */
function openSchemas({ schemas, exclude }: RoleDeclaration): string[] {
  const exclusions = exclude.map((text) => parseExclusion(text, schemas));
  return schemas.filter((schema) => !exclusions.some((one) => concernsSchema(one, schema)));
}

function grantsOf(
  { role, access, schemas, exclude }: RoleDeclaration,
  database: StatedDatabase,
): StatedRight[] {
  const limited = (schema: string, what: ProviderLimit["what"]) =>
    database.limits.some(
      (limit) =>
        limit.schema === schema && limit.what === what && (limit.role === null || limit.role === role),
    );
  const grant = (name: string, objectType: GrantArgs["objectType"], schema?: string): StatedRight => ({
    kind: "Grant",
    name: `${role}-${name}`,
    args: {
      role,
      database: database.name,
      ...(schema !== undefined && { schema }),
      objectType,
      privileges: sorted(rights[access][objectType]),
    },
  });
  const used = schemas.filter((schema) => !limited(schema, "schema"));
  const open = openSchemas({ role, access, schemas, exclude, allSchemas: false });
  return [
    grant(`connect-${database.name}`, "database"),
    ...used.map((schema) => grant(`usage-${inName(schema)}`, "schema", schema)),
    ...open
      .filter((schema) => !limited(schema, "objects"))
      .flatMap((schema) => [
        grant(`${words[access]}-${inName(schema)}`, "table", schema),
        grant(`sequences-${inName(schema)}`, "sequence", schema),
      ]),
  ];
}

/** What the owner's new objects are granted with: in every schema, or in those where nothing is excluded. */
function defaultsOf(declaration: RoleDeclaration, { name: database, owner }: StatedDatabase): StatedRight[] {
  const { role, access, allSchemas, exclude } = declaration;
  const everywhere = allSchemas && exclude.length === 0;
  const places = everywhere ? [undefined] : openSchemas(declaration);
  const types = everywhere
    ? (["table", "sequence", "function", "schema"] as const)
    : (["table", "sequence", "function"] as const);
  const given = types.filter((type) => rights[access][type].length > 0);
  return places.flatMap((schema) =>
    given.map((objectType) => ({
      kind: "DefaultPrivileges",
      name: [role, `default-${objectType}s`, ...(schema === undefined ? [] : [inName(schema)])].join("-"),
      args: {
        role,
        database,
        owner,
        ...(schema !== undefined && { schema }),
        objectType,
        privileges: sorted(rights[access][objectType]),
      },
    })),
  );
}

/**
 * The rights of roles that the postgresql provider can state as they are declared: CONNECT, USAGE, the tables and sequences
 * of schemas in which nothing is excluded, the owner's default privileges, memberships. The runner's pass covers the rest.
 */
export function providerRights(roles: readonly StatedRole[], database: StatedDatabase): StatedRight[] {
  return roles.flatMap(({ declaration, memberOf }) => [
    ...memberOf.map(
      (grantRole): StatedRight => ({
        kind: "GrantRole",
        name: `${declaration.role}-member-of-${inName(grantRole)}`,
        args: { role: declaration.role, grantRole },
      }),
    ),
    ...grantsOf(declaration, database),
    ...defaultsOf(declaration, database),
  ]);
}

function resourceOf(
  right: StatedRight,
  names: Names,
  options: pulumi.CustomResourceOptions,
): pulumi.Resource {
  const { role } = right.args;
  const name = names.ofRole(role, right.name.slice(role.length)); // a right's name begins with the role's
  switch (right.kind) {
    case "Grant":
      return new postgresql.Grant(name, right.args, options);
    case "DefaultPrivileges":
      return new postgresql.DefaultPrivileges(name, right.args, options);
    case "GrantRole":
      return new postgresql.GrantRole(name, right.args, options);
  }
}

/** The row of PostgreSQL's catalogs that a right is kept in, or the set of rows: those of a schema's tables. */
function catalogRow(right: StatedRight): string {
  switch (right.kind) {
    case "Grant":
      return JSON.stringify(["acl", right.args.objectType, right.args.schema]);
    case "DefaultPrivileges":
      return JSON.stringify(["default", right.args.objectType, right.args.schema]);
    case "GrantRole":
      return JSON.stringify(["member", right.args.grantRole]);
  }
}

/**
 * Takes no stack traces meanwhile. The SDK takes one for each property of each resource, for messages about promises that
 * never end: of two hundred rights they are a fifth of the program's time (docs/decisions/0005-stack-traces.md).
 */
function withoutStackTraces<T>(make: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

export interface RightsOptions {
  readonly parent: pulumi.Resource;
  readonly deletedWith: pulumi.Resource;
  /**
   * Rights in several rows of the catalogs come side by side. Not for an administrator without superuser: the official
   * provider joins the owners of the objects for each change, and two changes at once wait for each other's owners.
   */
  readonly sideBySide: boolean;
}

/**
 * Declares rights as resources. Those that one row of the catalogs holds come one after the other, since PostgreSQL fails
 * where two sessions change one row.
 * A right that is not declared any more is left to the runner's pass, which has revoked it in the same transaction in
 * which it gave what takes its place: the provider's own REVOKE, which comes at the end of an update, would take that too.
 *
 * @returns the resources that no other one of them waits for, or `after` where there are none
 */
export function declareRights(
  rights: readonly StatedRight[],
  after: pulumi.Resource,
  names: Names,
  { sideBySide, ...options }: RightsOptions,
): pulumi.Resource[] {
  const last = new Map<string, pulumi.Resource>();
  withoutStackTraces(() => {
    for (const right of rights) {
      const row = sideBySide ? catalogRow(right) : "";
      const dependsOn = [last.get(row) ?? after];
      last.set(row, resourceOf(right, names, { ...options, dependsOn, retainOnDelete: true }));
    }
  });
  return last.size === 0 ? [after] : [...last.values()];
}
