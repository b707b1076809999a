import type { StackConfig } from "./parse.ts";
import { attributesOf, creatorsOf, declare, type RightsCheckRequest } from "./role-declaration.ts";

/** What a stack's configuration asks of its server as to roles and rights. */
export function rightsCheckOf(
  {
    database,
    roles,
    adopt,
    passwords,
  }: Pick<StackConfig, "database" | "roles" | "adopt"> & {
    readonly passwords: Readonly<Record<string, unknown>>;
  },
  leaving: readonly string[] = [],
): RightsCheckRequest {
  const { name, owner, extensions } = database;
  const declared = roles.map((role) => ({ ...declare(role, database), memberOf: role.memberOf }));
  return {
    database: {
      name,
      owner,
      extensions,
      ownerByAdmin: adopt.roles.includes(owner) && passwords[owner] === undefined,
    },
    rights: {
      owner,
      creators: creatorsOf(roles, owner),
      roles: declared,
      attributes: roles
        .filter(({ shared }) => shared !== true)
        .map((role) => attributesOf(role, adopt.roles.includes(role.name))),
    },
    leaving: [...leaving],
  };
}
