import type { StackConfig } from "../../runner/config/parse.ts";
import { instantOf } from "../../runner/config/roles.ts";
import type { ProviderCheck, ProviderCheckRequest } from "../../runner/roles/review/provider-check.ts";
import { connectionEnvironment } from "../connection.ts";
import type { Instance } from "../instance.ts";
import { orFail, refuse } from "../refusal.ts";
import { askRunner } from "../runner/query.ts";
import type { Queries } from "../runner/query-process.ts";

function requestOf({ database, roles }: StackConfig): ProviderCheckRequest {
  const instants = roles
    .map(({ validUntil }) => validUntil)
    .filter((text) => text !== "infinity")
    .map(instantOf);
  return { roles: [database.owner, ...roles.map(({ name }) => name)], instants: [...new Set(instants)] };
}

/**
 * Asks the server, before a role is declared, what the postgresql provider has to be told in the server's own words: the
 * answer is the text of each `validUntil`, none where there is no server yet. Refuses where a role has what the provider
 * cannot read.
 */
export function checkProvider(
  queries: Queries,
  config: StackConfig,
  instance: Instance,
): Promise<ProviderCheck["texts"]> {
  return orFail(askServer(queries, config, instance));
}

async function askServer(queries: Queries, config: StackConfig, { administrator }: Instance) {
  const environment = connectionEnvironment(administrator, administrator);
  const check = await askRunner<ProviderCheck>(queries, "provider-check", requestOf(config), environment);
  refuse((check?.refusals ?? []).map((line) => `pgstack:roles: ${line}`));
  return check?.texts ?? {};
}
