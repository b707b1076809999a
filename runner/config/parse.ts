import * as v from "valibot";
import { Adopt, type AdoptConfig } from "./adopt.ts";
import { Cutover, type CutoverConfig } from "./cutover.ts";
import { Database, type DatabaseConfig } from "./database.ts";
import { Dump, type DumpConfig } from "./dump.ts";
import { AdminAuth, type AdminAuthConfig, Instance, type InstanceConfig } from "./instance.ts";
import { type MigrationSettings, Migrations } from "./migrations.ts";
import { Restore, type RestoreConfig } from "./restore.ts";
import { circleOf } from "./role-declaration.ts";
import { type RoleConfig, Roles, saidOfShared } from "./roles.ts";
import { allLogins, pairFaults } from "./rotation.ts";
import { Password } from "./types.ts";

/** A stack's configuration, validated and with defaults filled in. */
export interface StackConfig {
  readonly instance: InstanceConfig;
  /** Of `instance.adminUser`; only for kind existing. Secret. */
  readonly adminPassword: string | undefined;
  /** In place of `adminPassword`: what prints a password that soon expires. */
  readonly adminAuth: AdminAuthConfig | undefined;
  readonly database: DatabaseConfig;
  /** What existed before the stack. */
  readonly adopt: AdoptConfig;
  readonly roles: readonly RoleConfig[];
  /** By role; a role that is not named here gets a generated password. Secret. */
  readonly passwords: Readonly<Record<string, string>>;
  readonly migrations: MigrationSettings;
  readonly dump: DumpConfig | undefined;
  readonly restore: RestoreConfig | undefined;
  readonly cutover: CutoverConfig | undefined;
  /** Whether `destroy` refuses to touch database and roles. */
  readonly protect: boolean;
}

/** Every key of the namespace, each read by its own schema, so that each reports its faults by itself. */
export const keys = {
  instance: Instance,
  adminPassword: v.optional(Password),
  adminAuth: v.optional(AdminAuth),
  database: Database,
  adopt: v.optional(Adopt, {}),
  roles: v.optional(Roles, []),
  passwords: v.optional(v.record(v.string(), Password, "a map of role to password"), {}),
  migrations: v.optional(Migrations, {}),
  dump: v.optional(Dump),
  restore: v.optional(Restore),
  cutover: v.optional(Cutover),
  protect: v.optional(v.boolean("true or false")),
} as const;

/** Every key with its value, before they are held against each other. */
export type Values = { [Key in keyof typeof keys]: v.InferOutput<(typeof keys)[Key]> };

/** Objects, numbers and booleans arrive as JSON; any other text is itself. */
function decode(key: string, text: string | undefined): unknown {
  if (text === undefined || key === "adminPassword") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function unknownKeys(raw: Readonly<Record<string, string>>): string[] {
  return Object.keys(raw)
    .filter((key) => !(key in keys))
    .map((key) => `pgstack:${key}: unknown key; known: ${Object.keys(keys).join(", ")}`);
}

/** Every fault of a stack's configuration, in one error. */
export class ConfigError extends Error {
  /** @param what whose faults they are, as the beginning of a sentence */
  constructor(faults: readonly string[], what = "The stack's configuration") {
    super(
      `${what} has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}:\n  ${faults.join("\n  ")}`,
    );
    this.name = "ConfigError";
  }
}

/**
 * Reads the namespace's keys (without `pgstack:`), as text the way Pulumi hands them over.
 * Throws ConfigError, which lists every fault and shows no secret.
 */
export function parseConfig(raw: Readonly<Record<string, string>>): StackConfig {
  const unknown = unknownKeys(raw);
  const values = Object.fromEntries(Object.keys(keys).map((key) => [key, decode(key, raw[key])]));
  const checked = checkConfig(values);
  if (unknown.length > 0 || "faults" in checked)
    throw new ConfigError([...unknown, ...("faults" in checked ? checked.faults : [])]);
  return checked.config;
}

/** A configuration that has been checked, or every fault that it has. */
export type CheckedConfig = { readonly config: StackConfig } | { readonly faults: readonly string[] };

/** The one door through which every configuration comes: a stack's file, and the arguments of components. */
export function checkConfig(values: Readonly<Record<string, unknown>>): CheckedConfig {
  const faults: string[] = [];
  const checked: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(keys)) {
    const result = v.safeParse(schema as v.GenericSchema, values[key]);
    if (result.success) checked[key] = result.output;
    else faults.push(...result.issues.map((issue) => describeFault(key, issue)));
  }
  if (faults.length > 0) return { faults };
  const config = checked as Values;
  const contradicting = contradictions(config);
  if (contradicting.length > 0) return { faults: contradicting };
  return { config: { ...config, protect: config.protect ?? config.instance.kind !== "local" } };
}

/** The same of values as `pulumi config --json` gives them, with all logins of the roles. Throws ConfigError. */
export function parseValues(values: Readonly<Record<string, unknown>>): StackConfig {
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  const config = parseConfig(
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, text(value)])),
  );
  return { ...config, roles: allLogins(config.roles, config.adopt) };
}

/** Keys whose values are never repeated in a message. */
const secretKeys = ["adminPassword", "adminAuth", "passwords", "cutover.pgbouncer"];

function found(issue: v.BaseIssue<unknown>, path: string): string {
  if (issue.input === undefined) return "nothing";
  if (secretKeys.some((key) => `${path}.`.startsWith(`${key}.`)))
    return "another value, not shown since it is a secret";
  return JSON.stringify(issue.input)?.slice(0, 80) ?? String(issue.input);
}

function allowed(issue: v.BaseIssue<unknown>): string {
  const expected = issue.expected?.replaceAll('"', "") ?? "another value";
  return issue.message.startsWith("Invalid") ? expected : issue.message;
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === "strict_object" && issue.expected === "never";
}

/** One line a fault: the key, what was found, what is allowed. */
export function describeFault(key: string, issue: v.BaseIssue<unknown>): string {
  const path = [key, v.getDotPath(issue)].filter((part) => part).join(".");
  if (isUnknownKey(issue)) return `pgstack:${path}: unknown key`;
  return `pgstack:${path}: expected ${allowed(issue)}, found ${found(issue, path)}`;
}

/** The provider's ids of schemas and extensions, by which they are imported, are `database.name`. */
function importedDots({ name, schemas, extensions }: DatabaseConfig): string[] {
  const dotted = [name, ...schemas, ...extensions].filter((text) => text.includes("."));
  return dotted.map(
    (text) =>
      `pgstack:adopt.importOnly: expected database, schemas and extensions without a dot in their names, found "${text}" ` +
      "(the postgresql provider imports them by an id of the form database.name)",
  );
}

/** Faults that no key shows by itself. */
export function contradictions({
  instance,
  adminPassword,
  adminAuth,
  database,
  adopt,
  roles,
  passwords,
  restore,
  cutover,
}: Values): string[] {
  const names = roles.map(({ name }) => name);
  const login = new Set([database.owner, ...names]);
  const circle = circleOf(roles);
  return [
    instance.kind === "existing" && adminPassword === undefined && adminAuth === undefined
      ? "pgstack:adminPassword: expected the password of instance.adminUser, found nothing; " +
        "set it by: pulumi config set --secret pgstack:adminPassword (a login by token: pgstack:adminAuth)"
      : [],
    adminPassword !== undefined && adminAuth !== undefined
      ? "pgstack:adminAuth: expected one of adminPassword and adminAuth, found both"
      : [],
    instance.kind === "local" && adminAuth !== undefined
      ? "pgstack:adminAuth: expected nothing for kind local, which makes its own password, found a value"
      : [],
    instance.kind === "local" && adminPassword !== undefined
      ? "pgstack:adminPassword: expected nothing for kind local, which makes its own, found a value"
      : [],
    restore !== undefined && cutover !== undefined
      ? "pgstack:cutover: expected one origin of the database's contents, found restore too"
      : [],
    names.includes(database.owner)
      ? `pgstack:roles: expected roles beside the owner, found "${database.owner}"`
      : [],
    circle !== undefined
      ? `pgstack:roles: expected memberOf without a circle, found ${circle.join(" → ")}`
      : [],
    roles.flatMap(({ name, schemas = [] }) =>
      schemas
        .filter((schema) => !database.schemas.includes(schema))
        .map(
          (schema) => `pgstack:roles: "${name}" names schema "${schema}", which is not in database.schemas`,
        ),
    ),
    roles.flatMap((role) =>
      saidOfShared(role).map(
        (key) =>
          `pgstack:roles: expected no ${key} for "${role.name}", which is shared: the database that declares the role says it`,
      ),
    ),
    pairFaults(roles, Object.keys(passwords)),
    Object.keys(passwords)
      .filter((name) => roles.some((role) => role.name === name && role.shared === true))
      .map(
        (name) =>
          `pgstack:passwords: expected none for "${name}", which is shared: the database that declares the role has its password, found one`,
      ),
    adopt.roles
      .filter((name) => roles.some((role) => role.name === name && role.shared === true))
      .map(
        (name) =>
          `pgstack:adopt.roles: expected roles that this stack declares, found "${name}", which is shared`,
      ),
    adopt.importOnly ? importedDots(database) : [],
    adopt.importOnly && (restore !== undefined || cutover !== undefined)
      ? "pgstack:adopt.importOnly: expected no restore and no cutover beside it, found one"
      : [],
    adopt.roles
      .filter((name) => !login.has(name))
      .map((name) => `pgstack:adopt.roles: expected roles of this stack, found "${name}"`),
    Object.keys(passwords)
      .filter((name) => !login.has(name))
      .map((name) => `pgstack:passwords: expected roles of this stack, found "${name}"`),
  ].flat();
}
