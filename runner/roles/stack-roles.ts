import * as v from "valibot";
import { Database, type DatabaseConfig } from "../../components/config/database.ts";
import { type RoleConfig, Roles } from "../../components/config/roles.ts";
import { creatorsOf, declare } from "../../components/role-declaration.ts";
import type { StackFacts } from "../target.ts";
import { RefusedError } from "../user-error.ts";
import type { ReviewedRole } from "./review.ts";

/** A stack's database and roles, as its configuration declares them. */
export interface DeclaredRoles {
  readonly database: DatabaseConfig;
  /** Roles beside the owner that make objects. */
  readonly creators: readonly string[];
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
  const creators = creatorsOf(roles, database.owner);
  const reviewed = roles.map((role) => ({
    ...declare(role, database, creators),
    memberOf: role.memberOf,
    validUntil: role.validUntil,
  }));
  return { database, creators, roles: reviewed };
}
