import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../../runner/config/parse.ts";
import {
  attributesOf,
  creatorsOf,
  declare,
  type RightsCheckRequest,
} from "../../runner/config/role-declaration.ts";
import type { RightsCheck } from "../../runner/roles/review/preview.ts";
import { connectionEnvironment } from "../connection.ts";
import type { Instance } from "../instance.ts";
import { recordedRoles } from "../previous-update.ts";
import { refuse, warnOrRefuse } from "../refusal.ts";
import { askRunner } from "../runner/query.ts";
import type { Queries } from "../runner/query-process.ts";

function requestOf({ database, roles, adopt, passwords }: StackConfig): RightsCheckRequest {
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
      attributes: roles.map((role) => attributesOf(role, adopt.roles.includes(role.name))),
    },
  };
}

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

function notKnown(reason: string, instance: Instance): void {
  if (!pulumi.runtime.isDryRun()) refuse([reason]);
  warnOrRefuse(
    `Whether the admin can do all this, and whether rights hold, is not known. ${reason}`,
    instance,
  );
}

/** Roles that the stack is to make, and that somebody else has made already: CREATE ROLE would fail in the middle of an update. */
async function clashes({ existing }: RightsCheck): Promise<string[]> {
  if (existing.length === 0) return [];
  const recorded = await recordedRoles();
  return existing
    .filter((name) => !recorded.has(name))
    .map(
      (name) =>
        `pgstack:roles: expected no role "${name}" on the server, since this stack is to make it, found one. Nothing was changed. ` +
        `Choose another name, or, for a database that was there before the stack, take it over with its roles (./pgstack adopt).`,
    );
}

/**
 * Asks the server, before anything is declared, whether its admin can do all that the stack asks for, and whether
 * rights still are as declared. Undefined where there is no server yet. Ends the program where the admin can not.
 */
export async function checkRights(
  queries: Queries,
  config: StackConfig,
  instance: Instance,
): Promise<RightsCheck | undefined> {
  if (config.adopt.importOnly) return undefined;
  const { administrator } = instance;
  const environment = connectionEnvironment(administrator, administrator);
  const check = await askRunner<RightsCheck>(queries, "rights-check", requestOf(config), environment);
  if (check === undefined) return undefined;
  const { admin, unreachable, refusals } = check;
  if (unreachable !== undefined) notKnown(unreachable, instance);
  if (check.refused !== undefined) refuse([check.refused]);
  if (refusals.length > 0)
    refuse([
      `"${admin}" cannot do all that this stack asks for; nothing was changed:\n  pgstack:${refusals.join("\n  pgstack:")}`,
    ]);
  refuse(await clashes(check));
  for (const warning of check.warnings) void pulumi.log.warn(warning, instance);
  report(check, instance);
  return check;
}
