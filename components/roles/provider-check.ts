import * as pulumi from "@pulumi/pulumi";
import type { ProviderCheck, ProviderCheckRequest } from "../../runner/roles/review/provider-check.ts";
import type { CheckedDatabase } from "../arguments.ts";
import type { Server } from "../instance.ts";
import { connectionEnvironment } from "../parts/connection.ts";
import { orFail, refuse } from "../parts/refusal.ts";
import { askRunner, knownValue } from "../runner/query.ts";
import type { Queries } from "../runner/query-process.ts";

function requestOf({ database, roles: all, adopt }: CheckedDatabase): ProviderCheckRequest {
  const roles = all.filter(({ shared }) => shared !== true);
  const ends = roles.map(({ validUntil }) => validUntil).filter((text) => text !== "infinity");
  return {
    roles: [database.owner, ...roles.map(({ name }) => name)],
    adopted: adopt.roles,
    instants: [...new Set(ends)],
  };
}

/** What is known where there is no server yet. */
const nothing: ProviderCheck = { texts: {}, memberships: [], refusals: [] };

/**
 * Asks the server, before a role is declared, what the postgresql provider has to be told in the server's own words, and
 * what it will not keep. Refuses where a role has what the provider cannot read.
 */
export function checkProvider(
  queries: Queries,
  config: CheckedDatabase,
  instance: Server,
): Promise<ProviderCheck> {
  return orFail(askServer(queries, config, instance));
}

async function askServer(queries: Queries, config: CheckedDatabase, { administrator }: Server) {
  const environment = connectionEnvironment(administrator, administrator);
  const check = await askRunner<ProviderCheck>(queries, "provider-check", requestOf(config), environment);
  refuse((check?.refusals ?? []).map((line) => `pgstack:roles: ${line}`));
  return check ?? nothing;
}

export interface MembershipsArgs {
  readonly before: Promise<ProviderCheck>;
  /** The resources that may have changed a role. */
  readonly after: readonly pulumi.CustomResource[];
  readonly instance: Server;
  readonly queries: Queries;
}

/**
 * Gives adopted roles the memberships back that the provider revokes as it changes a role: what was granted by hand, and
 * the option to choose a group's members. A preview changes nothing.
 */
export function keepMemberships(args: MembershipsArgs): void {
  if (!pulumi.runtime.isDryRun()) void orFail(giveBack(args));
}

async function giveBack({ before, after, instance, queries }: MembershipsArgs): Promise<void> {
  const { memberships } = await before;
  if (memberships.length === 0) return;
  await Promise.all(after.map(({ id }) => knownValue(id)));
  const { administrator } = instance;
  const environment = connectionEnvironment(administrator, administrator);
  const given = await askRunner<string[]>(queries, "provider-memberships", memberships, environment);
  for (const sql of given ?? []) void pulumi.log.info(`The postgresql provider had revoked it: ${sql}`);
}
