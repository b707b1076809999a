import type { StackConfig } from "../config/parse.ts";
import { declare, type ReviewedRights, type RoleDeclaration } from "../config/role-declaration.ts";
import { ownSchema } from "../postgres/sql.ts";
import { type CatalogObject, schemasAmong } from "../roles/catalog/objects.ts";
import { ruleOf } from "../roles/plan/desired.ts";
import type { Difference } from "../roles/review/differences.ts";
import type { EngineStep } from "./engine.ts";
import type { AttributeChange, Drift, PlannedRole, ReadTables } from "./model.ts";

/** A table, or a view, that pending migrations make. */
export interface TableToCome {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
}

/** A table to come, as far as a rule about rights asks for it. */
export function asObject({ schema, name, columns }: TableToCome): CatalogObject {
  const acl = new Map<string, readonly string[]>();
  return {
    key: `${schema}.${name}`,
    kind: "table",
    schema,
    name,
    owner: "",
    relkind: "r",
    acl,
    parents: [],
    columns: Object.fromEntries(columns.map((column) => [column, acl])),
    rowSecurity: false,
    securityDefiner: false,
    calledByViews: false,
  };
}

/** The tables that a declared role reads, of those that are given. */
export function readTablesOf(
  declaration: RoleDeclaration,
  objects: readonly CatalogObject[],
  toCome: readonly TableToCome[],
): ReadTables {
  const { on } = ruleOf(declaration, schemasAmong(objects), []);
  const known = new Set(objects.map(({ schema, name }) => `${schema}.${name}`));
  const added = toCome.filter(({ schema, name }) => !known.has(`${schema}.${name}`)).map(asObject);
  const tables = [...objects, ...added].filter(
    ({ kind, schema }) => kind === "table" && schema !== ownSchema,
  );
  const whole: string[] = [];
  const not: string[] = [];
  const partly: { table: string; without: string[] }[] = [];
  for (const table of tables) {
    const name = `${table.schema}.${table.name}`;
    const { whole: held, columns } = on(table);
    const readable = Object.keys(columns).filter((column) => columns[column]?.includes("SELECT"));
    if (held.includes("SELECT")) whole.push(name);
    else if (readable.length === 0) not.push(name);
    else
      partly.push({
        table: name,
        without: Object.keys(table.columns).filter((column) => !readable.includes(column)),
      });
  }
  return { total: tables.length, whole, partly, not };
}

/** The type of a role's resource. */
export const roleType = "postgresql:index/role:Role";

const limit = (value: unknown) => (Number(value) < 0 ? "no limit" : String(value));
const time = (value: unknown) => (Number(value) === 0 ? "none" : `${Number(value) / 1000} s`);
const yesOrNo = (value: unknown) => (value === true ? "yes" : "no");
const plain = (value: unknown) => String(value);

/** The provider's inputs of a role, as the configuration calls them, and how their values read. */
const attributes: Readonly<Record<string, readonly [name: string, text: (value: unknown) => string]>> = {
  login: ["login", yesOrNo],
  connectionLimit: ["connectionLimit", limit],
  statementTimeout: ["statementTimeout", time],
  idleInTransactionSessionTimeout: ["idleInTransactionTimeout", time],
  validUntil: ["validUntil", plain],
  roles: ["memberOf", (value) => (value as string[]).join(", ") || "none"],
  superuser: ["superuser", yesOrNo],
  createDatabase: ["createDatabase", yesOrNo],
  createRole: ["createRole", yesOrNo],
  replication: ["replication", yesOrNo],
  bypassRowLevelSecurity: ["bypassRowLevelSecurity", yesOrNo],
  inherit: ["inherit", yesOrNo],
};

/** What a role has that nothing was said about: it is not worth a word. */
const usual: Readonly<Record<string, string>> = {
  login: "yes",
  connectionLimit: "no limit",
  validUntil: "infinity",
  inherit: "yes",
};

const usualOf = (name: string) => usual[name] ?? (/Timeout$|^memberOf$/.test(name) ? "none" : "no");

function textsOf(inputs: EngineStep["before"]): Map<string, string> {
  return new Map(
    Object.entries(attributes)
      .filter(([key]) => inputs?.[key] !== undefined)
      .map(([key, [name, text]]) => [name, text(inputs?.[key])]),
  );
}

function attributeChanges({ before, after, because }: EngineStep): AttributeChange[] {
  const [old, now] = [textsOf(before), textsOf(after)];
  const named = [...new Set([...old.keys(), ...now.keys()])];
  const changed = named
    .map((name) => ({ name, from: old.get(name) ?? null, to: now.get(name) ?? null }))
    .filter(({ name, from, to }) => (from ?? usualOf(name)) !== (to ?? usualOf(name)));
  const password = before !== null && after !== null && because.includes("password");
  return [...changed, ...(password ? [{ name: "password", from: null, to: "another one" }] : [])];
}

/** The role's own step among those of the engine. */
function stepOf(steps: readonly EngineStep[], role: string): EngineStep | undefined {
  return steps.find(({ type, before, after }) => type === roleType && (after ?? before)?.name === role);
}

const nameOf = (difference: Difference) =>
  JSON.stringify([difference.role, difference.kind, difference.what]);

/** Differences that only the new declaration makes: what it changes, and nobody did by hand. */
function intended(next: readonly Difference[], previous: readonly Difference[]): Difference[] {
  const known = new Set(previous.map(nameOf));
  return next.filter((one) => !known.has(nameOf(one)));
}

/** What the plan of roles is made from. */
export interface RolesGround {
  readonly config: Pick<StackConfig, "roles" | "database">;
  /** As the last update declared them; undefined where there was none. */
  readonly previous: ReviewedRights | undefined;
  readonly steps: readonly EngineStep[];
  /** Against the configuration, and against what the last update declared. */
  readonly differences: { readonly next: readonly Difference[]; readonly previous: readonly Difference[] };
  /** Undefined where nobody knows them. */
  readonly objects: readonly CatalogObject[] | undefined;
  readonly toCome: readonly TableToCome[];
}

function changeOf(step: EngineStep | undefined, changed: boolean): PlannedRole["change"] {
  if (step === undefined) return changed ? "change" : "none";
  if (step.operation === "create") return "create";
  return step.operation === "delete" ? "drop" : "change";
}

function declaredRole(ground: RolesGround, role: RolesGround["config"]["roles"][number]): PlannedRole {
  const step = stepOf(ground.steps, role.name);
  const declaration = declare(role, ground.config.database);
  const isNew = step?.operation === "create" || step?.operation === "replace";
  const changes = intended(ground.differences.next, ground.differences.previous).filter(
    (one) => !isNew && one.role === role.name && one.object !== undefined,
  );
  const words = (kind: Difference["kind"]) =>
    changes.filter((one) => one.kind === kind).map(({ what }) => what);
  const before = ground.previous?.roles.find((one) => one.role === role.name);
  const redeclared =
    before !== undefined &&
    JSON.stringify({ ...before, memberOf: [] }) !== JSON.stringify({ ...declaration, memberOf: [] });
  return {
    name: role.name,
    change: changeOf(step, redeclared || changes.length > 0),
    access: role.access,
    attributes: step === undefined ? [] : attributeChanges(step),
    reads: ground.objects === undefined ? null : readTablesOf(declaration, ground.objects, ground.toCome),
    gains: words("missing"),
    loses: words("surplus"),
  };
}

/** The stack's roles, those that it drops among them. */
export function plannedRoles(ground: RolesGround): PlannedRole[] {
  const { config, steps } = ground;
  const declared = new Set(config.roles.map(({ name }) => name));
  const others = steps
    .filter(({ type }) => type === roleType)
    .map((step) => ({ step, name: String((step.after ?? step.before)?.name) }))
    .filter(({ name }) => !declared.has(name))
    .map(({ step, name }): PlannedRole => {
      const change = changeOf(step, false);
      const changed = change === "drop" ? [] : attributeChanges(step);
      return { name, change, access: null, attributes: changed, reads: null, gains: [], loses: [] };
    });
  return [
    ...others.filter(({ change }) => change !== "drop"),
    ...config.roles.map((one) => declaredRole(ground, one)),
    ...others.filter(({ change }) => change === "drop"),
  ];
}

const stays = "stays: the configuration declares it now";

function driftOf(one: Difference, mended: boolean): Drift {
  const { role: subject, kind, what } = one;
  const [, sql] = /as by: (.*)$/s.exec(what) ?? [];
  if (what === "the role itself") return { kind: "role", subject, found: "the role is gone", becomes: null };
  const isRight =
    one.object !== undefined || what.startsWith("default privileges") || what.endsWith(" on the database");
  const plainWhat = sql === undefined ? what : what.slice(0, what.indexOf(", as by: "));
  const found =
    kind === "surplus" ? `${plainWhat}, which nobody declared` : `${plainWhat} is not as declared`;
  const undone = sql ?? (kind === "surplus" ? (isRight ? "revoked" : "taken away") : "given again");
  return { kind: isRight ? "right" : "attribute", subject, found, becomes: mended ? undone : stays };
}

/**
 * What somebody has changed on the server since the last update.
 * @param previous against what the last update declared
 * @param next against the configuration: what is not among it stays as it is
 */
export function rightsDrift(previous: readonly Difference[], next: readonly Difference[]): Drift[] {
  const mended = new Set(next.map(nameOf));
  return previous.map((one) => driftOf(one, mended.has(nameOf(one))));
}

/** What PUBLIC has and should not, as statements that take it away. */
export function publicDrift(statements: readonly string[]): Drift[] {
  return statements
    .filter((sql) => /\b(?:FROM|TO) (?:.*, )?PUBLIC$/s.test(sql))
    .map((sql) => ({
      kind: "right",
      subject: "PUBLIC",
      found: "not as declared",
      becomes: sql,
    }));
}
