import type pg from "pg";
import { type Holding, readCreators, readDefaults, readHoldings, readRoleOid } from "./catalog.ts";
import type { RoleDeclaration } from "./declaration.ts";
import { ruleOf } from "./desired.ts";
import { type Difference, differencesOf } from "./differences.ts";
import { type EffectiveRole, readEffectiveRoles } from "./effective.ts";
import { planGrants } from "./plan.ts";

/** A declared role with its memberships. */
export type ReviewedRole = RoleDeclaration & { readonly memberOf: readonly string[] };

/** Everything that a page of roles and rights shows. */
export interface Review {
  readonly objects: readonly Holding[];
  readonly roles: readonly EffectiveRole[];
  readonly differences: readonly Difference[];
}

/** Default privileges that are missing or too many: rights on objects that are not there yet. */
async function onFuture(
  client: pg.Client,
  declaration: ReviewedRole,
  existing: readonly string[],
): Promise<Difference[]> {
  const { role, owner, creators } = declaration;
  const oid = await readRoleOid(client, role);
  if (oid === undefined) return [];
  const rule = ruleOf(declaration, existing, await readCreators(client, [owner, ...creators]));
  const defaults = (await readDefaults(client, oid)).filter(({ creator }) => creator !== role);
  return planGrants([], defaults, rule, role).map(({ sql }) => ({
    role,
    kind: / REVOKE /.test(sql) ? "surplus" : "missing",
    what: `default privileges, as by: ${sql}`,
  }));
}

function compare(
  declaration: ReviewedRole,
  roles: readonly EffectiveRole[],
  objects: readonly Holding[],
): Difference[] {
  const role = roles.find(({ name }) => name === declaration.role);
  if (role === undefined) return [{ role: declaration.role, kind: "missing", what: "the role itself" }];
  const existing = objects.filter(({ kind }) => kind === "schema").map(({ name }) => name);
  const groups = roles.filter(({ name }) => declaration.memberOf.includes(name));
  const memberships = role.memberOf.filter((name) => !declaration.memberOf.includes(name));
  const compared = {
    role,
    readonly: declaration.access === "readonly",
    rule: ruleOf(declaration, existing, []),
    groups,
  };
  return [
    ...memberships.map(
      (name): Difference => ({ role: role.name, kind: "surplus", what: `member of ${name}` }),
    ),
    ...differencesOf(compared, objects),
  ];
}

/**
 * Who may do what in this database, and where that differs from what is declared. Reads catalogs only.
 * @param owner the database's owner, shown and not compared
 */
export async function reviewRoles(
  client: pg.Client,
  owner: string | undefined,
  declared: readonly ReviewedRole[],
): Promise<Review> {
  await client.query("BEGIN READ ONLY; SET LOCAL search_path = pg_catalog");
  const objects = await readHoldings(client, 0, {
    allColumns: declared.some(({ exclude }) => exclude.length > 0),
  });
  const existing = objects.filter(({ kind }) => kind === "schema").map(({ name }) => name);
  const named = declared.flatMap(({ role, memberOf }) => [role, ...memberOf]);
  const roles = await readEffectiveRoles(client, owner === undefined ? named : [owner, ...named], objects);
  const differences: Difference[] = [];
  for (const declaration of declared)
    differences.push(
      ...compare(declaration, roles, objects),
      ...(await onFuture(client, declaration, existing)),
    );
  await client.query("COMMIT");
  return { objects, roles, differences };
}
