import type pg from "pg";
import type { ReviewedRights, ReviewedRole } from "../../config/role-declaration.ts";
import { catalogSettings } from "../../postgres/catalog-lock.ts";
import { readServerVersion } from "../../postgres/server-version.ts";
import {
  type EffectiveRole,
  readEffectiveRoles,
  type ShownRights,
  shownRights,
} from "../catalog/effective-rights.ts";
import { type CatalogObject, schemasAmong } from "../catalog/objects.ts";
import { type FilteredTable, readFilteredTables } from "../catalog/row-security.ts";
import { readSnapshot, type Snapshot } from "../catalog/snapshot.ts";
import { ruleOf } from "../plan/desired.ts";
import { planGrants } from "../plan/plan.ts";
import { planRoleAttributes } from "../plan/stack.ts";
import { revokes, sqlOf } from "../plan/statement.ts";
import { type Difference, differencesOf } from "./differences.ts";

/** Everything that a page of roles and rights shows. */
export interface Review {
  /** The rights that this version of the server has, in the order in which they are shown. */
  readonly shown: ShownRights;
  readonly objects: readonly CatalogObject[];
  readonly roles: readonly EffectiveRole[];
  readonly differences: readonly Difference[];
  /** Tables of which a role sees only what row security lets it see. */
  readonly filtered: readonly FilteredTable[];
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

/** Attributes and settings that are not as declared, beside those that `differencesOf` finds. */
function onAttributes(snapshot: Snapshot, role: string, declared: ReviewedRights): Difference[] {
  const found = planRoleAttributes(snapshot, role, declared).map(sqlOf);
  return found
    .filter((text) => !/^REVOKE (?!ADMIN OPTION)| WITH NO[A-Z]+$/.test(text))
    .map((text) => ({ role, kind: "missing", what: `attribute, as by: ${text}` }));
}

function compare(
  declaration: ReviewedRole,
  adopted: boolean,
  roles: readonly EffectiveRole[],
  objects: readonly CatalogObject[],
): Difference[] {
  const role = roles.find(({ name }) => name === declaration.role);
  if (role === undefined) return [{ role: declaration.role, kind: "missing", what: "the role itself" }];
  const groups = roles.filter(({ name }) => declaration.memberOf.includes(name));
  const memberships = adopted ? [] : role.memberOf.filter((name) => !declaration.memberOf.includes(name));
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
  const { objects } = snapshot;
  const named = declared?.roles.flatMap(({ role, memberOf }) => [role, ...memberOf]) ?? [];
  const roles = await readEffectiveRoles(client, declared ? [declared.owner, ...named] : [], objects);
  const filtered = await readFilteredTables(
    client,
    roles.map(({ name }) => name),
  );
  const shown = shownRights((await readServerVersion(client)).major);
  await client.query("COMMIT");
  const isAdopted = ({ role }: ReviewedRole) =>
    declared?.attributes?.find((one) => one.role === role)?.adopted === true;
  const differences = declared?.roles.flatMap((declaration) => [
    ...compare(declaration, isAdopted(declaration), roles, objects),
    ...onAttributes(snapshot, declaration.role, declared),
    ...(snapshot.roles.has(declaration.role) ? onFuture(snapshot, declaration) : []),
  ]);
  return { shown, objects, roles, differences: differences ?? [], filtered };
}
