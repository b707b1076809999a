import type { StackFacts } from "../cli/command.ts";
import type { StackConfig } from "../config/parse.ts";
import type { ReviewedRights } from "../config/role-declaration.ts";
import type { Access } from "../migrations/run/session.ts";
import { type ConnectionSettings, connectionFromUrl, withClient } from "../postgres/connection.ts";
import { type Review, reviewRoles } from "../roles/review/review.ts";

/** The ways to a stack's database; undefined where there is no server yet. */
export interface Ways {
  /** The administrator, on its own database. */
  readonly admin: ConnectionSettings;
  readonly access: Access;
}

export function waysOf({ outputs }: StackFacts, config: StackConfig): Ways | undefined {
  const { instance, adminPassword, database, passwords } = config;
  const made = outputs.admin as ConnectionSettings | undefined;
  if (made !== undefined && typeof outputs.databaseUrl === "string") {
    const owner = connectionFromUrl(outputs.databaseUrl, {});
    return { admin: made, access: { owner, admin: { ...made, database: owner.database } } };
  }
  if (instance.kind === "local") return undefined;
  const { host, port, adminUser: user, adminDatabase, sslMode, sslRootCert } = instance;
  const admin = { host, port, user, password: adminPassword, database: adminDatabase, sslMode, sslRootCert };
  const inside = { ...admin, database: database.name };
  const owner = { ...inside, user: database.owner, password: passwords[database.owner] };
  return { admin, access: { owner, admin: inside } };
}

/** Who may do what, against the configuration and against what the last update declared. */
export interface Reviews {
  readonly next: Review | undefined;
  /** Undefined where there was no update. */
  readonly previous: Review | undefined;
}

/** Reviews against both declarations; where they are the same, once. */
export async function readReviews(
  { admin, access }: Ways,
  next: ReviewedRights,
  previous: ReviewedRights | undefined,
): Promise<Reviews> {
  const inside = { ...admin, database: access.owner.database };
  return withClient(inside, async (client) => {
    const found = await reviewRoles(client, next);
    if (previous === undefined) return { next: found, previous: undefined };
    const same = JSON.stringify(previous) === JSON.stringify(next);
    return { next: found, previous: same ? found : await reviewRoles(client, previous) };
  });
}
