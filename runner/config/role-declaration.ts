import * as v from "valibot";
import type { Access } from "./access.ts";
import type { DatabaseConfig } from "./database.ts";
import type { RoleConfig } from "./roles.ts";

const names = v.pipe(v.array(v.string()), v.readonly());

/** A role's rights in one database, as resources send them to the runner. */
export const RoleDeclaration = v.object({
  role: v.string(),
  /** Read, or read and write rows; never define objects. */
  access: v.picklist(["readonly", "readwrite"] satisfies Access[]),
  /** Schemas that the role may use. */
  schemas: names,
  /** True where the role may use every schema of the database: those that come later count too. */
  allSchemas: v.boolean(),
  /** Tables (`audit.*`) and columns (`users.email`) that the role may not touch; see exclusion.ts. */
  exclude: names,
});
export type RoleDeclaration = Readonly<v.InferOutput<typeof RoleDeclaration>>;

/** What a role is declared to be, beside its rights. */
export const RoleAttributes = v.object({
  role: v.string(),
  /** It was there before the stack: attributes and memberships that no configuration says stay. */
  adopted: v.boolean(),
  memberOf: names,
  connectionLimit: v.number(),
  /** Milliseconds; 0 is none. */
  statementTimeout: v.number(),
  /** Milliseconds; 0 is none. */
  idleInTransactionTimeout: v.number(),
  /** `infinity`, or a date and time. */
  validUntil: v.string(),
});
export type RoleAttributes = Readonly<v.InferOutput<typeof RoleAttributes>>;

/** All rights, of which the last two members may be left out. */
type WithDefaults<Rights extends { attributes: unknown; publicStays: unknown }> = Readonly<
  Omit<Rights, "attributes" | "publicStays"> & Partial<Pick<Rights, "attributes" | "publicStays">>
>;

/** All rights in one database. */
export const RightsDeclaration = v.object({
  /** The database's owner, who makes most objects. */
  owner: v.string(),
  /** Further roles that make objects, such as one that runs migrations. */
  creators: names,
  roles: v.pipe(v.array(RoleDeclaration), v.readonly()),
  /** What these roles are beside their rights. Without it, that is left alone. */
  attributes: v.optional(v.pipe(v.array(RoleAttributes), v.readonly()), []),
  /** PUBLIC keeps what it has for now: the roles that are to connect by name do not exist yet. */
  publicStays: v.optional(v.boolean(), false),
});
export type RightsDeclaration = WithDefaults<v.InferOutput<typeof RightsDeclaration>>;

/** A declared role with its memberships. */
export const ReviewedRole = v.object({ ...RoleDeclaration.entries, memberOf: names });
export type ReviewedRole = Readonly<v.InferOutput<typeof ReviewedRole>>;

/** All rights in one database, memberships included. */
export const ReviewedRights = v.object({
  ...RightsDeclaration.entries,
  roles: v.pipe(v.array(ReviewedRole), v.readonly()),
});
export type ReviewedRights = WithDefaults<v.InferOutput<typeof ReviewedRights>>;

/** A role to verify. */
export const VerifiedRole = v.object({
  ...ReviewedRole.entries,
  /** Until when its password is valid; `infinity`, or a date and time. */
  validUntil: v.string(),
  /** Nobody here knows its password, so the admin acts for it (by SET ROLE). */
  byAdmin: v.boolean(),
});
export type VerifiedRole = Readonly<v.InferOutput<typeof VerifiedRole>>;

/** A role that is to be dropped, and who gets what it owns. */
export const RoleDrop = v.object({ role: v.string(), owner: v.string() });

/** What a program asks the server before it declares anything. */
export const RightsCheckRequest = v.object({
  database: v.object({
    name: v.string(),
    owner: v.string(),
    extensions: names,
    /** Nobody here knows the owner's password: the admin becomes the owner to run migrations. */
    ownerByAdmin: v.boolean(),
  }),
  rights: ReviewedRights,
  /** Roles of the stack's state that are not declared any more: they are to be dropped. */
  leaving: names,
});
export type RightsCheckRequest = Readonly<
  Omit<v.InferOutput<typeof RightsCheckRequest>, "rights"> & { rights: ReviewedRights }
>;

/** Roles that are members of the owner make objects of their own: what they make counts like the owner's. */
export function creatorsOf(roles: readonly RoleConfig[], owner: string): string[] {
  return roles.filter(({ memberOf }) => memberOf.includes(owner)).map(({ name }) => name);
}

/** A role's rights in the stack's database. */
export function declare(role: RoleConfig, database: DatabaseConfig): RoleDeclaration {
  return {
    role: role.name,
    access: role.access,
    schemas: role.schemas ?? database.schemas,
    allSchemas: role.schemas === undefined,
    exclude: role.exclude,
  };
}

/** What a role is, beside its rights. */
export function attributesOf(role: RoleConfig, adopted: boolean): RoleAttributes {
  const { name, memberOf, connectionLimit, statementTimeout, idleInTransactionTimeout, validUntil } = role;
  return {
    role: name,
    adopted,
    memberOf,
    connectionLimit,
    statementTimeout,
    idleInTransactionTimeout,
    validUntil,
  };
}

type Member = Pick<RoleConfig, "name" | "memberOf">;

/** The circle, where a role is a member of itself by others: the same name first and last. */
export function circleOf(roles: readonly Member[]): readonly string[] | undefined {
  const byName = new Map(roles.map((role) => [role.name, role]));
  const follow = (name: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    for (const group of byName.get(name)?.memberOf ?? []) {
      const circle = follow(group, [...path, name]);
      if (circle !== undefined) return circle;
    }
    return undefined;
  };
  return roles.map(({ name }) => follow(name, [])).find((circle) => circle !== undefined);
}

/** Roles before those that are members of them, else as given. The configuration holds no circle. */
export function inOrderOfMembership<Role extends Member>(roles: readonly Role[]): Role[] {
  const byName = new Map(roles.map((role) => [role.name, role]));
  const ordered = new Set<Role>();
  const add = (role: Role) => {
    for (const group of role.memberOf.map((name) => byName.get(name))) if (group !== undefined) add(group);
    ordered.add(role);
  };
  for (const role of roles) add(role);
  return [...ordered];
}
