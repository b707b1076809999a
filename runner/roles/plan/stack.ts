import type { RightsDeclaration, RoleDeclaration } from "../../config/role-declaration.ts";
import { identifier } from "../../postgres/sql.ts";
import { publicGrantee, schemasAmong } from "../catalog/objects.ts";
import type { Snapshot } from "../catalog/snapshot.ts";
import { planAttributes } from "./attributes.ts";
import { publicRule, type Rule, ruleOf } from "./desired.ts";
import { planGrants } from "./plan.ts";
import { revokes, type Statement, statementOf, together } from "./statement.ts";

/** Since PostgreSQL 14 a read-only transaction is a default that a session may change: a courtesy, not the guard. */
function readOnlySetting({ roles }: Snapshot, { role, access }: RoleDeclaration): Statement[] {
  const wanted = access === "readonly";
  const found = roles.get(role)?.settings.includes("default_transaction_read_only=on") ?? false;
  if (found === wanted) return [];
  const action = wanted ? "SET default_transaction_read_only = on" : "RESET default_transaction_read_only";
  return [{ text: `ALTER ROLE ${identifier(role)} ${action}`, grantees: [], needs: undefined }];
}

/**
 * On what belongs to a role for which the admin may not act, a privilege that PUBLIC holds is enough: nobody here could
 * give it by name.
 */
function withinReach(rule: Rule, role: string, { canActFor }: Snapshot): Rule {
  return {
    ...rule,
    on: (object) => {
      const desired = rule.on(object);
      if (canActFor(object.owner)) return desired;
      const byPublic = object.acl.get(publicGrantee) ?? [];
      const held = object.acl.get(role) ?? [];
      const whole = desired.whole.filter((one) => held.includes(one) || !byPublic.includes(one));
      return { ...desired, whole };
    },
  };
}

/** What a declared role lacks, and what it holds and should not; its own objects are left alone. */
export function planRole(snapshot: Snapshot, declaration: RoleDeclaration): Statement[] {
  const { role } = declaration;
  const { objects, defaults, creators } = snapshot;
  const others = objects.filter(({ owner }) => owner !== role);
  const rule = withinReach(ruleOf(declaration, schemasAmong(objects), creators), role, snapshot);
  const ofOthers = defaults.filter(({ creator }) => creator !== role);
  return [...readOnlySetting(snapshot, declaration), ...planGrants(others, ofOthers, rule, role)];
}

/** What a role is and is not declared to be: attributes, settings, memberships. */
export function planRoleAttributes(
  snapshot: Snapshot,
  role: string,
  { attributes = [] }: RightsDeclaration,
): Statement[] {
  const declared = attributes.find((one) => one.role === role);
  const found = snapshot.roles.get(role);
  return declared === undefined || found === undefined ? [] : planAttributes(found, declared, snapshot);
}

/** Whoever had CONNECT from PUBLIC alone, and uses the database, is given it by name when PUBLIC loses it. */
function connectByName({ objects, connectedByPublic }: Snapshot): Statement[] {
  const database = objects.find(({ kind }) => kind === "database");
  if (database === undefined) return [];
  const on = `DATABASE ${identifier(database.name)}`;
  return connectedByPublic.map((grantee) =>
    statementOf({ action: "GRANT", privileges: "CONNECT", on, grantee, needs: database.owner }),
  );
}

/**
 * Functions of extensions that default privileges of before took from PUBLIC: they get back what the extension's script
 * gave, and so do the extensions to come.
 */
function giveBackFunctions({ takenFunctions }: Snapshot): Statement[] {
  return takenFunctions.map(({ name, owner }) =>
    statementOf({
      action: "GRANT",
      privileges: "EXECUTE",
      on: `ROUTINE ${name}`,
      grantee: publicGrantee,
      needs: owner,
    }),
  );
}

/** What PUBLIC has and should not. */
export function planPublic(snapshot: Snapshot): Statement[] {
  const { objects, defaults, creators, extensionCreators } = snapshot;
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
  const rule = publicRule(creators, extensionCreators);
  return [
    ...connectByName(snapshot),
    ...planGrants(objects, [...defaults, ...builtIn], rule, publicGrantee),
    ...giveBackFunctions(snapshot),
  ];
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

/** What a stack's rights still need. */
export interface RightsPlan {
  /** In the order in which they run; empty where all is as declared. */
  readonly statements: readonly Statement[];
  /** What should be revoked and cannot be: it belongs to roles for which the admin may not act. */
  readonly impossible: readonly Statement[];
}

/** Leaves out what nobody here can revoke: that the rest is done is worth more. */
export function withoutImpossible(
  { canActFor }: Snapshot,
  plans: readonly (readonly Statement[])[],
): RightsPlan {
  const beyond = (one: Statement) => one.needs !== undefined && revokes(one) && !canActFor(one.needs);
  const all = together(plans);
  return { statements: all.filter((one) => !beyond(one)), impossible: all.filter(beyond) };
}

/** Why a statement is left out, for a warning. */
export function describeImpossible({ text, grantees, needs }: Statement, admin: string): string {
  return (
    `"${admin}" cannot run ${[text, ...grantees].join(" ").slice(0, 160)}: it may not act for "${needs}", which owns that. ` +
    `Let "${needs}" or a superuser run it.`
  );
}

/** Every statement that a stack's rights still need, PUBLIC's losses included. */
export function planRights(snapshot: Snapshot, declaration: RightsDeclaration): RightsPlan {
  const { roles, publicStays } = declaration;
  const ofRoles = roles.flatMap((one) => [
    planRoleAttributes(snapshot, one.role, declaration),
    planRole(snapshot, one),
  ]);
  const ofPublic = publicStays === true ? [] : planPublic(snapshot);
  return withoutImpossible(snapshot, [planAdmin(snapshot), ofPublic, ...ofRoles]);
}
