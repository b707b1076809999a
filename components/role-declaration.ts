import type { DatabaseConfig } from "./config/database.ts";
import type { RoleConfig } from "./config/roles.ts";

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

/** Roles before those that are members of them, else as given. Throws where memberOf goes round in a circle. */
export function inOrderOfMembership(roles: readonly RoleConfig[]): RoleConfig[] {
  const byName = new Map(roles.map((role) => [role.name, role]));
  const ordered = new Set<RoleConfig>();
  const add = (role: RoleConfig, path: readonly string[]) => {
    const way = [...path, role.name];
    if (path.includes(role.name))
      throw new Error(`pgstack:roles: expected memberOf without a circle, found ${way.join(" → ")}`);
    for (const group of role.memberOf.map((name) => byName.get(name)))
      if (group !== undefined) add(group, way);
    ordered.add(role);
  };
  for (const role of roles) add(role, []);
  return [...ordered];
}
