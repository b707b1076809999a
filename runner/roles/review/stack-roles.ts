import * as v from "valibot";
import type { StackFacts } from "../../cli/command.ts";
import { Adopt } from "../../config/adopt.ts";
import { Database } from "../../config/database.ts";
import {
  attributesOf,
  creatorsOf,
  declare,
  type ReviewedRights,
  type ReviewedRole,
} from "../../config/role-declaration.ts";
import { type RoleConfig, Roles } from "../../config/roles.ts";
import { RefusedError } from "../../util/errors.ts";

/** A stack's rights, as its configuration declares them. */
export interface DeclaredRoles extends ReviewedRights {
  readonly roles: readonly (ReviewedRole & Pick<RoleConfig, "validUntil">)[];
}

function read<T extends v.GenericSchema>(
  schema: T,
  key: string,
  { name, config }: StackFacts,
): v.InferOutput<T> {
  const result = v.safeParse(schema, config[key]);
  if (result.success) return result.output;
  throw new RefusedError(
    `pgstack:${key} of stack "${name}" cannot be read (${result.issues[0].message}); ./pgstack preview ${name} says more`,
  );
}

/** Reads the declared roles out of a stack's configuration. Throws RefusedError. */
export function declaredRoles(facts: StackFacts): DeclaredRoles {
  const database = read(Database, "database", facts);
  const roles: readonly RoleConfig[] = read(v.optional(Roles, []), "roles", facts);
  const adopt = read(v.optional(Adopt, {}), "adopt", facts);
  return {
    owner: database.owner,
    creators: creatorsOf(roles, database.owner),
    attributes: roles
      .filter(({ shared }) => shared !== true)
      .map((role) => attributesOf(role, adopt.roles.includes(role.name))),
    roles: roles.map((role) => ({
      ...declare(role, database),
      memberOf: role.memberOf,
      validUntil: role.validUntil,
    })),
  };
}
