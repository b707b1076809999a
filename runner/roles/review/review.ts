import type pg from "pg";
import type { ReviewedRights, ReviewedRole } from "../../config/role-declaration.ts";
import { catalogSettings } from "../../postgres/catalog-lock.ts";
import { type EffectiveRole, readEffectiveRoles } from "../catalog/effective-rights.ts";
import { type CatalogObject, schemasAmong } from "../catalog/objects.ts";
import { readSnapshot, type Snapshot } from "../catalog/snapshot.ts";
import { ruleOf } from "../plan/desired.ts";
import { planGrants } from "../plan/plan.ts";
import { revokes, sqlOf } from "../plan/statement.ts";
import { type Difference, differencesOf } from "./differences.ts";

/** Everything that a page of roles and rights shows. */
export interface Review {
  readonly objects: readonly CatalogObject[];
  readonly roles: readonly EffectiveRole[];
  readonly differences: readonly Difference[];
}

/** Default privileges that are missing or too many: rights on objects that are not there yet. */
function onFuture({ objects, defaults, creators }: Snapshot, declaration: ReviewedRole): Difference[] {
  const { role } = declaration;
  const rule = ruleOf(declaration, schemasAmong(objects), creators);
  const ofOthers = defaults.filter(({ creator }) => creator !== role);
  return planGrants([], ofOthers, rule, role).map((statement) => ({
    role,
    kind: revokes(statement) ? "surplus" : "missing",
    what: `default privileges, as by: ${sqlOf(statement)}`,
  }));
}

function compare(
  declaration: ReviewedRole,
  roles: readonly EffectiveRole[],
  objects: readonly CatalogObject[],
): Difference[] {
  const role = roles.find(({ name }) => name === declaration.role);
  if (role === undefined) return [{ role: declaration.role, kind: "missing", what: "the role itself" }];
  const groups = roles.filter(({ name }) => declaration.memberOf.includes(name));
  const memberships = role.memberOf.filter((name) => !declaration.memberOf.includes(name));
  const compared = {
    role,
    readonly: declaration.access === "readonly",
    rule: ruleOf(declaration, schemasAmong(objects), []),
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
 * @param declared undefined: only what is there is shown
 */
export async function reviewRoles(client: pg.Client, declared: ReviewedRights | undefined): Promise<Review> {
  await client.query(`BEGIN READ ONLY; ${catalogSettings}`);
  const snapshot = await readSnapshot(client, declared ?? { owner: "", creators: [], roles: [] });
  const { objects, startsReadOnly } = snapshot;
  const named = declared?.roles.flatMap(({ role, memberOf }) => [role, ...memberOf]) ?? [];
  const roles = await readEffectiveRoles(client, declared ? [declared.owner, ...named] : [], objects);
  await client.query("COMMIT");
  const differences = declared?.roles.flatMap((declaration) => [
    ...compare(declaration, roles, objects),
    ...(startsReadOnly.has(declaration.role) ? onFuture(snapshot, declaration) : []),
  ]);
  return { objects, roles, differences: differences ?? [] };
}
