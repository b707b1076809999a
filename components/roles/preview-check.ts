import * as pulumi from "@pulumi/pulumi";
import { rightsCheckOf } from "../../runner/config/rights-check.ts";
import type { RightsCheck } from "../../runner/roles/review/preview.ts";
import type { CheckedDatabase } from "../arguments.ts";
import type { Server } from "../instance.ts";
import { connectionEnvironment } from "../parts/connection.ts";
import { isDatabaseInState, type Known, rolesInState } from "../parts/previous-update.ts";
import { refuse, warnOrRefuse } from "../parts/refusal.ts";
import { askRunner } from "../runner/query.ts";
import type { Queries } from "../runner/query-process.ts";

const shownStatements = 10;

/** Tells what `up` would grant and revoke, as things are. */
function report({ statements }: RightsCheck, resource: pulumi.Resource): void {
  if (statements.length === 0) return;
  const shown = statements
    .slice(0, shownStatements)
    .map((sql) => (sql.length > 160 ? `${sql.slice(0, 160)} …` : sql));
  const more = statements.length > shown.length ? `\n  and ${statements.length - shown.length} more` : "";
  void pulumi.log.info(`Rights are not as declared. To be run:\n  ${shown.join("\n  ")}${more}`, resource);
}

function notKnown(reason: string, instance: Server): void {
  if (!pulumi.runtime.isDryRun()) refuse([reason]);
  warnOrRefuse(
    `Whether the admin can do all this, and whether rights hold, is not known. ${reason}`,
    instance,
  );
}

/** Roles that the stack is to make, and that somebody else has made already: CREATE ROLE would fail in the middle of an update. */
async function clashes({ existing }: RightsCheck, { config, known }: CheckArgs): Promise<string[]> {
  const shared = new Set(config.roles.filter((role) => role.shared === true).map(({ name }) => name));
  const toMake = existing.filter((name) => !shared.has(name));
  if (toMake.length === 0) return [];
  const recorded = new Set(await rolesInState(known));
  return toMake
    .filter((name) => !recorded.has(name))
    .map(
      (name) =>
        `pgstack:roles: expected no role "${name}" on the server, since this stack is to make it, found one. Nothing was changed. ` +
        `Choose another name, or, for a database that was there before the stack, take it over with its roles (./pgstack adopt).`,
    );
}

/** A database that the stack is to make, and that somebody else has made already. */
async function databaseClash(
  { databaseExists }: RightsCheck,
  { config, known }: CheckArgs,
): Promise<string[]> {
  const { name } = config.database;
  if (!databaseExists || (await isDatabaseInState(name, known))) return [];
  return [
    `pgstack:database.name: expected no database "${name}" on the server, since this stack is to make it, found one. Nothing was changed. ` +
      "Choose another name, or take the database over with its contents (./pgstack adopt). Where an update of this stack was " +
      "killed, ./pgstack up records what that had made.",
  ];
}

/** Roles that the stack has made and does not declare any more. The role that the stack logs in as is never dropped. */
async function leavingRoles({ config, instance, known }: CheckArgs): Promise<string[]> {
  const adminUser = await instance.adminUser();
  const declared = new Set([config.database.owner, adminUser, ...config.roles.map(({ name }) => name)]);
  return (await rolesInState(known)).filter((role) => !declared.has(role));
}

/** Shared roles that nobody declares: GRANT would fail in the middle of an update. */
function missing({ existing }: RightsCheck, { config, instance }: CheckArgs): string[] {
  return config.roles
    .filter(
      ({ name, shared }) =>
        shared === true && !existing.includes(name) && instance.turns.claimed(name) === undefined,
    )
    .map(
      ({ name }) =>
        `pgstack:roles: expected a role "${name}" on the server, since it is shared, found none. Nothing was changed. ` +
        "Declare it in another database of this server, constructed before this one, or take shared out.",
    );
}

/** The database that is checked. */
export interface CheckArgs {
  readonly queries: Queries;
  readonly config: CheckedDatabase;
  readonly instance: Server;
  readonly known: Known;
}

/** All that stands against the update, each with the way past it. */
async function refusalsOf(check: RightsCheck, args: CheckArgs): Promise<string[]> {
  const { admin, refused, refusals, undroppable } = check;
  if (refused !== undefined) return [refused];
  const faults = refusals.map((line) => `\n  pgstack:${line}`).join("");
  return [
    ...(faults === ""
      ? []
      : [`"${admin}" cannot do all that this stack asks for; nothing was changed:${faults}`]),
    ...(await databaseClash(check, args)),
    ...(await clashes(check, args)),
    ...missing(check, args),
    ...undroppable,
  ];
}

/** What a preview cannot say of a server that is still to be made. */
const toBeMade =
  "The server is not known yet, so that this preview does not show whether its administrator can do all this, which rights differ " +
  "from what is declared, and which migrations are applied.";

/**
 * Asks the server, before anything is declared, whether its admin can do all that the stack asks for, and whether
 * rights still are as declared. Undefined where there is no server yet. Ends the program where the admin can not.
 */
export async function checkRights(args: CheckArgs): Promise<RightsCheck | undefined> {
  const { queries, config, instance } = args;
  if (config.adopt.importOnly) return undefined;
  const { administrator } = instance;
  const environment = connectionEnvironment(administrator, administrator);
  const check = await askRunner<RightsCheck>(
    queries,
    "rights-check",
    rightsCheckOf(config, await leavingRoles(args)),
    environment,
  );
  if (check === undefined) {
    if (!instance.isLocal) void pulumi.log.info(toBeMade, instance);
    return undefined;
  }
  if (check.unreachable !== undefined) notKnown(check.unreachable, instance);
  else refuse(await refusalsOf(check, args));
  for (const warning of check.warnings) void pulumi.log.warn(warning, instance);
  report(check, instance);
  return check;
}
