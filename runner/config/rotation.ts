import type { RoleConfig } from "./roles.ts";

/**
 * Two logins that take turns. The role itself is current with odd versions of its password, the second login with even ones, so
 * that a role that starts to rotate keeps its name and password.
 */
export const secondLogin = (name: string) => `${name}_b`;

const isOdd = (version: number) => version % 2 === 1;

/** The login that clients take from now on: the role itself, or the second of its two logins. */
export function currentLogin({ name, rotate, passwordVersion }: RoleConfig): string {
  return rotate === "pair" && !isOdd(passwordVersion) ? secondLogin(name) : name;
}

/**
 * The logins of a role: one, or two with the same rights. Each password has the version with which it became current; that of the
 * login whose turn it is not is kept, whatever version it has.
 */
export function loginsOf(role: RoleConfig): RoleConfig[] {
  if (role.rotate !== "pair") return [role];
  const { name, memberOf, passwordVersion: version, rotate: _, ...rights } = role;
  const waiting = { passwordVersion: version - 1, passwordKept: true } as const;
  const first = { ...role, ...(isOdd(version) ? {} : waiting), login: currentLogin(role) };
  const second = {
    ...rights,
    name: secondLogin(name),
    memberOf: [...memberOf, name], // policies and grants for the role count for its second login too
    ...(isOdd(version) ? waiting : { passwordVersion: version }),
  };
  return [first, second];
}

/** The roles that a stack makes: each with its logins. An import makes no second login. */
export function allLogins(
  roles: readonly RoleConfig[],
  { importOnly }: { readonly importOnly: boolean },
): RoleConfig[] {
  return importOnly ? [...roles] : roles.flatMap(loginsOf);
}

/** Faults of a role whose logins take turns. */
export function pairFaults(roles: readonly RoleConfig[], passwords: readonly string[]): string[] {
  const names = new Set(roles.map(({ name }) => name));
  return roles
    .filter(({ rotate }) => rotate === "pair")
    .flatMap(({ name }) => {
      const second = secondLogin(name);
      return [
        names.has(second)
          ? [
              `pgstack:roles: expected "${second}" for the second login of "${name}", found a role of that name`,
            ]
          : [],
        Buffer.byteLength(second) > 63
          ? [
              `pgstack:roles: expected a name of 61 bytes at most for "${name}": its second login is "${second}"`,
            ]
          : [],
        [name, second]
          .filter((login) => passwords.includes(login))
          .map(
            (login) =>
              `pgstack:passwords: expected none for "${login}", whose logins take turns by generated ones, found one`,
          ),
      ].flat();
    });
}
