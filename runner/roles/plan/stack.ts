import type { RightsDeclaration, RoleDeclaration } from "../../config/role-declaration.ts";
import { identifier } from "../../postgres/sql.ts";
import { publicGrantee, schemasAmong } from "../catalog/objects.ts";
import type { Snapshot } from "../catalog/snapshot.ts";
import { publicRule, ruleOf } from "./desired.ts";
import { planGrants } from "./plan.ts";
import { type Statement, statementOf, together } from "./statement.ts";

/** Since PostgreSQL 14 a read-only transaction is a default that a session may change: a courtesy, not the guard. */
function readOnlySetting({ startsReadOnly }: Snapshot, { role, access }: RoleDeclaration): Statement[] {
  const wanted = access === "readonly";
  if ((startsReadOnly.get(role) ?? false) === wanted) return [];
  const action = wanted ? "SET default_transaction_read_only = on" : "RESET default_transaction_read_only";
  return [{ text: `ALTER ROLE ${identifier(role)} ${action}`, grantees: [], needs: undefined }];
}

/** What a declared role lacks, and what it holds and should not; its own objects are left alone. */
export function planRole(snapshot: Snapshot, declaration: RoleDeclaration): Statement[] {
  const { role } = declaration;
  const { objects, defaults, creators } = snapshot;
  const others = objects.filter(({ owner }) => owner !== role);
  const rule = ruleOf(declaration, schemasAmong(objects), creators);
  const ofOthers = defaults.filter(({ creator }) => creator !== role);
  return [...readOnlySetting(snapshot, declaration), ...planGrants(others, ofOthers, rule, role)];
}

/** What PUBLIC has and should not. */
export function planPublic({ objects, defaults, creators }: Snapshot): Statement[] {
  const recorded = new Set(
    defaults
      .filter(({ schema, kind }) => schema === undefined && kind === "function")
      .map(({ creator }) => creator),
  );
  const builtIn = creators
    .filter((creator) => !recorded.has(creator))
    .map((creator) => {
      const acl = new Map([[publicGrantee, ["EXECUTE"]]]);
      return { creator, schema: undefined, kind: "function", acl } as const;
    });
  return planGrants(objects, [...defaults, ...builtIn], publicRule(creators), publicGrantee);
}

/** Where PUBLIC may not connect, an admin who is no superuser says so for itself, and that it may make extensions. */
function planAdmin({ objects, admin }: Snapshot): Statement[] {
  const database = objects.find(({ kind }) => kind === "database");
  if (admin.superuser || database === undefined || database.owner === admin.name) return [];
  const held = database.acl.get(admin.name) ?? [];
  const missing = ["CONNECT", "CREATE"].filter((right) => !held.includes(right));
  if (missing.length === 0) return [];
  return [
    statementOf({
      action: "GRANT",
      privileges: missing.join(", "),
      on: `DATABASE ${identifier(database.name)}`,
      grantee: admin.name,
      needs: database.owner,
    }),
  ];
}

/** Every statement that a stack's rights still need, PUBLIC's losses included; empty where all is as declared. */
export function planRights(snapshot: Snapshot, { roles }: RightsDeclaration): Statement[] {
  const ofRoles = roles.map((declaration) => planRole(snapshot, declaration));
  return together([planAdmin(snapshot), planPublic(snapshot), ...ofRoles]);
}
