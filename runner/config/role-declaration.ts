import type { DatabaseConfig } from "./database.ts";
import type { RoleConfig } from "./roles.ts";

/** What a role is declared to be allowed, in the form that the runner takes. */
export interface Declaration {
  readonly role: string;
  readonly access: RoleConfig["access"];
  readonly schemas: readonly string[];
  readonly allSchemas: boolean;
  readonly exclude: readonly string[];
}

/** All rights in the stack's database, in the form that the runner takes. */
export interface Declarations {
  readonly owner: string;
  readonly creators: readonly string[];
  readonly roles: readonly Declaration[];
}

/** Roles that are members of the owner make objects of their own: what they make counts like the owner's. */
export function creatorsOf(roles: readonly RoleConfig[], owner: string): string[] {
  return roles.filter(({ memberOf }) => memberOf.includes(owner)).map(({ name }) => name);
}

/** A role's rights in the stack's database. */
export function declare(role: RoleConfig, database: DatabaseConfig): Declaration {
  return {
    role: role.name,
    access: role.access,
    schemas: role.schemas ?? database.schemas,
    allSchemas: role.schemas === undefined,
    exclude: role.exclude,
  };
}

type Member = Pick<RoleConfig, "name" | "memberOf">;

/** The way round, where a role is a member of itself by others: the same name first and last. */
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
