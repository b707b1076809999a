import type pg from "pg";
import type { RightsCheckRequest } from "../../config/role-declaration.ts";
import { maybeRow, rowsOf } from "../../postgres/rows.ts";
import { type Admin, type RolePowers, readAdmin, readRolePowers } from "../catalog/admin-powers.ts";
import type { Statement } from "../plan/statement.ts";

interface Facts extends RightsCheckRequest {
  readonly admin: Admin;
  readonly powers: ReadonlyMap<string, RolePowers>;
  /** Undefined where the database does not exist. */
  readonly databaseOwner: string | undefined;
  readonly extensions: readonly FoundExtension[];
}

interface FoundExtension {
  readonly name: string;
  readonly installed: boolean;
  readonly trusted: boolean;
}

/** The server's word on the extensions that the stack wants, as far as it has them. */
async function readExtensions(
  client: pg.Client,
  { database }: RightsCheckRequest,
): Promise<FoundExtension[]> {
  if (database.extensions.length === 0) return []; // else the server would read a folder for nothing
  return rowsOf<FoundExtension>(
    client,
    `SELECT e.name, v.trusted, EXISTS (SELECT FROM pg_extension WHERE extname = e.name AND current_database() = $2) AS installed
     FROM pg_available_extensions e JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
     WHERE e.name = ANY($1)`,
    [database.extensions, database.name],
  );
}

function onExtensions({ database, extensions, admin }: Facts): string[] {
  return database.extensions.flatMap((name) => {
    const found = extensions.find((one) => one.name === name);
    if (found === undefined)
      return `database.extensions: "${name}" is not among the extensions that are installed on the server's machine; install its package there, or leave it out`;
    if (found.installed || found.trusted || admin.superuser || admin.ofService) return [];
    return (
      `database.extensions: "${name}" is not a trusted extension, so only a superuser may make it; let one run ` +
      `CREATE EXTENSION "${name}" in database "${database.name}" first, or leave it out`
    );
  });
}

function onDatabase({ database, databaseOwner, admin, powers }: Facts): string[] {
  const owners = [...new Set([database.owner, databaseOwner ?? database.owner])];
  const foreign = owners.filter((owner) => powers.get(owner)?.canActFor === false);
  return [
    ...(databaseOwner === undefined && !admin.superuser && !admin.createsDatabases
      ? [`database.name: "${database.name}" does not exist and "${admin.name}" has no CREATEDB to make it`]
      : []),
    ...(database.ownerByAdmin && foreign.length === 0 && powers.get(database.owner)?.canBecome === false
      ? [
          `passwords: nobody here knows the password of the owner "${database.owner}", and "${admin.name}" may not become it to run ` +
            `migrations; give the password in pgstack:passwords, or run GRANT "${database.owner}" TO "${admin.name}"`,
        ]
      : []),
    ...foreign.map(
      (owner) =>
        `database.owner: "${admin.name}" may not act for "${owner}", which owns the database; ${wayTo(owner, powers)}`,
    ),
  ];
}

/** How the admin comes to rule over a role. */
function wayTo(role: string, powers: ReadonlyMap<string, RolePowers>): string {
  return powers.get(role)?.superuser === true
    ? "that is a superuser's: take an ordinary role"
    : `let a superuser run GRANT "${role}" TO the admin WITH ADMIN OPTION`;
}

function onRoles({ rights, database, admin, powers }: Facts): string[] {
  const names = [database.owner, ...rights.roles.map(({ role }) => role)];
  const absent = names.filter((name) => !powers.has(name));
  const fixed = rights.roles.filter(({ role }) => powers.get(role)?.canChange === false);
  return [
    ...(absent.length > 0 && !admin.superuser && !admin.createsRoles
      ? [
          `roles: "${admin.name}" has no CREATEROLE to make ${absent.map((name) => `"${name}"`).join(", ")}; ` +
            `let a superuser run ALTER ROLE "${admin.name}" CREATEROLE`,
        ]
      : []),
    ...fixed.map(
      ({ role }) => `roles: "${admin.name}" may not change role "${role}"; ${wayTo(role, powers)}`,
    ),
  ];
}

function onMemberships({ rights, admin, powers }: Facts): string[] {
  const declared = new Set(rights.roles.map(({ role }) => role).concat(rights.owner));
  return rights.roles.flatMap(({ role, memberOf }) =>
    memberOf.flatMap((group) => {
      const mine = powers.get(group);
      if (group === "pg_database_owner")
        return `roles: "${role}" cannot be a member of pg_database_owner, which takes no members`;
      if (mine === undefined)
        return declared.has(group)
          ? []
          : `roles: "${role}" is declared a member of "${group}", which is neither a role of this stack nor of the server`;
      return mine.canGive
        ? []
        : `roles: "${admin.name}" may not make "${role}" a member of "${group}"; ${wayTo(group, powers)}, or leave it out of memberOf`;
    }),
  );
}

/** What belongs to others: the plan says on whose objects rights would change. */
function onObjects(statements: readonly Statement[], { admin, powers, databaseOwner }: Facts): string[] {
  const needed = Map.groupBy(statements, ({ needs }) =>
    needs === "pg_database_owner" ? databaseOwner : needs,
  );
  return [...needed].flatMap(([owner, [first]]) =>
    owner === undefined || owner === databaseOwner || powers.get(owner)?.canActFor !== false
      ? []
      : `roles: "${admin.name}" may not act for "${owner}", as this needs: ${first?.text.slice(0, 160)} …; give what "${owner}" owns ` +
        `to the database's owner (ALTER … OWNER TO …), leave it out by the roles' "exclude", or ${wayTo(owner, powers)}`,
  );
}

/**
 * What the stack asks for and the connected admin cannot do: one line each, with the way past it. Reads catalogs only.
 * @param plan the rights that would change; of a database that does not exist, none
 */
export async function preflight(
  client: pg.Client,
  request: RightsCheckRequest,
  plan: readonly Statement[],
): Promise<string[]> {
  const { database, rights } = request;
  const owner = await maybeRow<{ name: string }>(
    client,
    "SELECT pg_get_userbyid(datdba) AS name FROM pg_database WHERE datname = $1",
    [database.name],
  );
  const databaseOwner = owner?.name;
  const names = [
    ...[database.owner, ...(databaseOwner === undefined ? [] : [databaseOwner])],
    ...rights.roles.flatMap(({ role, memberOf }) => [role, ...memberOf]),
    ...plan.flatMap(({ needs }) => needs ?? []),
  ];
  const facts: Facts = {
    ...request,
    admin: await readAdmin(client),
    powers: await readRolePowers(client, [...new Set(names)]),
    databaseOwner,
    extensions: await readExtensions(client, request),
  };
  return [
    ...onDatabase(facts),
    ...onExtensions(facts),
    ...onRoles(facts),
    ...onMemberships(facts),
    ...onObjects(plan, facts),
  ];
}
