import pg from "pg";
import { UserError } from "../user-error.ts";
import { readCreators, readDefaults, readHoldings, readRoleOid } from "./catalog.ts";
import type { PublicDeclaration, RoleDeclaration } from "./declaration.ts";
import { publicRule, ruleOf } from "./desired.ts";
import { withCatalogLock } from "./exclusive.ts";
import { withRightsOf } from "./membership.ts";
import { planGrants, type Statement } from "./plan.ts";

const quote = pg.escapeIdentifier;

/** What was done, for the resource's result. */
export interface Applied {
  readonly statements: readonly string[];
}

/** Since PostgreSQL 14 a read-only transaction is a default that a session may change: a courtesy, not the guard. */
async function readOnlySetting(client: pg.Client, { role, access }: RoleDeclaration): Promise<Statement[]> {
  const { rows } = await client.query(
    `SELECT coalesce('default_transaction_read_only=on' = ANY(rolconfig), false) AS on FROM pg_roles WHERE rolname = $1`,
    [role],
  );
  const wanted = access === "readonly";
  if (rows[0]?.on === wanted) return [];
  const action = wanted ? "SET default_transaction_read_only = on" : "RESET default_transaction_read_only";
  return [{ sql: `ALTER ROLE ${quote(role)} ${action}`, needs: role }];
}

/** The statements that the declared role still needs; its own objects are left alone. */
export async function planRole(client: pg.Client, declaration: RoleDeclaration): Promise<Statement[]> {
  const { role, owner, creators, exclude } = declaration;
  const oid = await readRoleOid(client, role);
  if (oid === undefined)
    throw new UserError(`Role "${role}" does not exist; expected it to be made before its grants`);
  const holdings = await readHoldings(client, oid, { allColumns: exclude.length > 0 });
  const existing = holdings.filter(({ kind }) => kind === "schema").map(({ schema }) => schema);
  const rule = ruleOf(declaration, existing, await readCreators(client, [owner, ...creators]));
  const others = holdings.filter((object) => object.owner !== role);
  const defaults = (await readDefaults(client, oid)).filter(({ creator }) => creator !== role);
  return [...(await readOnlySetting(client, declaration)), ...planGrants(others, defaults, rule, role)];
}

/** The statements that take from PUBLIC what it should not have. */
export async function planPublic(client: pg.Client, declaration: PublicDeclaration): Promise<Statement[]> {
  const holdings = await readHoldings(client, 0, { allColumns: false });
  const creators = await readCreators(client, [declaration.owner, ...declaration.creators]);
  const recorded = await readDefaults(client, 0);
  const isGlobal = (creator: string) =>
    recorded.some((one) => one.creator === creator && one.schema === undefined && one.kind === "function");
  const builtIn = creators
    .filter((creator) => !isGlobal(creator))
    .map((creator) => ({ creator, schema: undefined, kind: "function", held: ["EXECUTE"] }) as const);
  return planGrants(holdings, [...recorded, ...builtIn], publicRule(creators), undefined);
}

/**
 * Brings rights in line with a plan, then plans again to prove it: one transaction, seen by others as a whole.
 * Throws UserError with what is still missing.
 */
export async function applyPlan(client: pg.Client, plan: () => Promise<Statement[]>): Promise<Applied> {
  return withCatalogLock(client, async () => {
    const statements = await plan();
    if (statements.length === 0) return { statements: [] };
    const needs = statements.map((statement) => statement.needs);
    await withRightsOf(client, needs, async () => {
      for (const { sql } of statements) await client.query(sql);
    });
    const left = await plan();
    if (left.length > 0)
      throw new UserError(
        `These statements ran and changed nothing (rights that another role than the owner granted stay until that role ` +
          `revokes them):\n  ${left.map(({ sql }) => sql).join("\n  ")}`,
      );
    return { statements: statements.map(({ sql }) => sql) };
  });
}
