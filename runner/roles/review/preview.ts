import type pg from "pg";
import type { RightsCheckRequest } from "../../config/role-declaration.ts";
import { catalogSettings } from "../../postgres/catalog-lock.ts";
import {
  type ConnectionSettings,
  isMissingDatabase,
  isUnreachable,
  withClient,
} from "../../postgres/connection.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { UserError } from "../../util/errors.ts";
import { type ProviderLimit, readProviderLimits } from "../catalog/provider-limits.ts";
import { describeFiltered, readFilteredTables } from "../catalog/row-security.ts";
import { readSnapshot } from "../catalog/snapshot.ts";
import { findUndroppable } from "../plan/drop-role.ts";
import {
  describeImpossible,
  planPublic,
  planRole,
  planRoleAttributes,
  withoutImpossible,
} from "../plan/stack.ts";
import { type Statement, sqlOf, together } from "../plan/statement.ts";
import { preflight } from "./preflight.ts";

/** What the server answers. */
export interface RightsCheck {
  readonly admin: string;
  readonly superuser: boolean;
  /** Why nobody knows; undefined where the server was asked. */
  readonly unreachable?: string;
  /** Why the server, which answers, does not let the admin in. */
  readonly refused?: string;
  /** What the admin cannot do, a line each. */
  readonly refusals: readonly string[];
  /** Statements that would bring the rights in line, as things are. */
  readonly statements: readonly string[];
  /** Roles whose rights are not as declared. */
  readonly drifted: readonly string[];
  /** PUBLIC has what it should not. */
  readonly publicDrifted: boolean;
  /** What should be revoked and cannot be, and tables of which a role sees no row: a line each. */
  readonly warnings: readonly string[];
  /** The declared roles that the server has, the owner among them. */
  readonly existing: readonly string[];
  /** Whether the server has the declared database. */
  readonly databaseExists: boolean;
  /** Why a role that is to go cannot be dropped, a sentence each. */
  readonly undroppable: readonly string[];
  /** What the provider cannot state. */
  readonly limits: readonly ProviderLimit[];
}

interface Drift {
  readonly plan: readonly Statement[];
  readonly drifted: readonly string[];
  readonly publicDrifted: boolean;
  readonly warnings: readonly string[];
}

/** Of a database to come: a new one gives PUBLIC what it should not have, and all is to be said again if it was lost. */
const newDatabase: Drift = { plan: [], drifted: [], publicDrifted: true, warnings: [] };

/** Of roles that exist: those to come have nothing yet, and no one expects them to. */
async function driftIn(client: pg.Client, { rights }: RightsCheckRequest): Promise<Drift> {
  const snapshot = await readSnapshot(client, rights);
  const { statements: ofPublic, impossible } = withoutImpossible(snapshot, [planPublic(snapshot)]);
  const plans = rights.roles.map((declaration) => {
    const attributes = planRoleAttributes(snapshot, declaration.role, rights);
    return {
      role: declaration.role,
      ...withoutImpossible(snapshot, [attributes, planRole(snapshot, declaration)]),
    };
  });
  const drifted = plans.filter(({ role, statements }) => statements.length > 0 && snapshot.roles.has(role));
  const names = rights.roles.map(({ role }) => role);
  const filtered = await readFilteredTables(client, names);
  const beyond = together([impossible, ...plans.map((one) => one.impossible)]);
  return {
    plan: together([ofPublic, ...plans.map(({ statements }) => statements)]),
    drifted: drifted.map(({ role }) => role),
    publicDrifted: ofPublic.length > 0,
    warnings: [
      ...beyond.map((one) => describeImpossible(one, snapshot.admin.name)),
      ...filtered.filter(({ policies }) => policies.length === 0).map(describeFiltered),
    ],
  };
}

async function readExisting(client: pg.Client, { rights }: RightsCheckRequest): Promise<string[]> {
  const names = [rights.owner, ...rights.roles.map(({ role }) => role)];
  const rows = await rowsOf<{ name: string }>(
    client,
    "SELECT rolname AS name FROM pg_roles WHERE rolname = ANY($1) ORDER BY 1",
    [names],
  );
  return rows.map(({ name }) => name);
}

async function isSuperuser(client: pg.Client): Promise<boolean> {
  const [row] = await rowsOf<{ superuser: boolean }>(
    client,
    "SELECT current_setting('is_superuser') = 'on' AS superuser",
  );
  return row?.superuser === true;
}

async function ask(
  client: pg.Client,
  request: RightsCheckRequest,
  exists: boolean,
): Promise<Omit<RightsCheck, "admin">> {
  await client.query(`BEGIN READ ONLY; ${catalogSettings}`);
  const { plan, ...drift } = exists ? await driftIn(client, request) : newDatabase;
  const refusals = await preflight(client, request, plan);
  const limits = exists ? await readProviderLimits(client, request.rights.roles) : [];
  const existing = await readExisting(client, request);
  const superuser = await isSuperuser(client);
  const undroppable = exists ? await findUndroppable(client, request.leaving) : [];
  await client.query("COMMIT");
  return {
    databaseExists: exists,
    undroppable,
    superuser,
    refusals,
    existing,
    limits,
    statements: plan.map(sqlOf),
    ...drift,
  };
}

const nothing = {
  superuser: false,
  databaseExists: false,
  undroppable: [],
  refusals: [],
  statements: [],
  drifted: [],
  publicDrifted: false,
  warnings: [],
  existing: [],
  limits: [],
};

/** What a failure to connect says: of rights, or only that nobody knows. */
function fromFailure(error: unknown, admin: ConnectionSettings, database: string): RightsCheck {
  if (!(error instanceof UserError)) throw error;
  if ((error.cause as { code?: string } | undefined)?.code !== "42501")
    return {
      admin: admin.user,
      ...nothing,
      [isUnreachable(error) ? "unreachable" : "refused"]: error.message,
    };
  const refusal =
    `database.name: "${admin.user}" may not connect to "${database}", which exists; let its owner run ` +
    `GRANT CONNECT, CREATE ON DATABASE "${database}" TO "${admin.user}"`;
  return { admin: admin.user, ...nothing, refusals: [refusal] };
}

/**
 * Asks the server, as its admin, whether the stack can have what it asks for and whether its rights still hold. A
 * server that cannot be reached is an answer too.
 * @param admin the way to the server, on the admin's own database
 */
export async function checkRights(
  admin: ConnectionSettings,
  request: RightsCheckRequest,
): Promise<RightsCheck> {
  const inside = { ...admin, database: request.database.name };
  try {
    const answer = withClient(inside, (client) => ask(client, request, true)).catch((error: unknown) => {
      if (!isMissingDatabase(error)) throw error;
      return withClient(admin, (client) => ask(client, request, false));
    });
    return { admin: admin.user, ...(await answer) };
  } catch (error) {
    return fromFailure(error, admin, request.database.name);
  }
}
