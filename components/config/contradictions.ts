import { circleOf } from "../role-declaration.ts";
import type { Values } from "./parse.ts";

/** Faults that no key shows by itself. */
export function contradictions({
  instance,
  adminPassword,
  database,
  adopt,
  roles,
  passwords,
  restore,
  cutover,
}: Values): string[] {
  const names = roles.map(({ name }) => name);
  const login = new Set([database.owner, ...names]);
  const circle = circleOf(roles);
  return [
    instance.kind === "existing" && adminPassword === undefined
      ? "pgstack:adminPassword: expected the password of instance.adminUser, found nothing; " +
        "set it by: pulumi config set --secret pgstack:adminPassword"
      : [],
    instance.kind === "local" && adminPassword !== undefined
      ? "pgstack:adminPassword: expected nothing for kind local, which makes its own, found a value"
      : [],
    restore !== undefined && cutover !== undefined
      ? "pgstack:cutover: expected one origin of the database's contents, found restore too"
      : [],
    names.includes(database.owner)
      ? `pgstack:roles: expected roles beside the owner, found "${database.owner}"`
      : [],
    circle !== undefined
      ? `pgstack:roles: expected memberOf without a circle, found ${circle.join(" → ")}`
      : [],
    roles.flatMap(({ name, schemas = [] }) =>
      schemas
        .filter((schema) => !database.schemas.includes(schema))
        .map(
          (schema) => `pgstack:roles: "${name}" names schema "${schema}", which is not in database.schemas`,
        ),
    ),
    adopt.importOnly && (restore !== undefined || cutover !== undefined)
      ? "pgstack:adopt.importOnly: expected no restore and no cutover beside it, found one"
      : [],
    adopt.roles
      .filter((name) => !login.has(name))
      .map((name) => `pgstack:adopt.roles: expected roles of this stack, found "${name}"`),
    Object.keys(passwords)
      .filter((name) => !login.has(name))
      .map((name) => `pgstack:passwords: expected roles of this stack, found "${name}"`),
  ].flat();
}
