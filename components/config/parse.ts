import * as v from "valibot";
import { Adopt, type AdoptConfig } from "./adopt.ts";
import { Password } from "./checks.ts";
import { contradictions } from "./contradictions.ts";
import { Cutover, type CutoverConfig } from "./cutover.ts";
import { Database, type DatabaseConfig } from "./database.ts";
import { Dump, type DumpConfig } from "./dump.ts";
import { describeFault } from "./faults.ts";
import { Instance, type InstanceConfig } from "./instance.ts";
import { Migrations, type MigrationsConfig } from "./migrations.ts";
import { Restore, type RestoreConfig } from "./restore.ts";
import { type RoleConfig, Roles } from "./roles.ts";

/** A stack's configuration, validated and with defaults filled in. */
export interface StackConfig {
  readonly instance: InstanceConfig;
  /** Of `instance.adminUser`; only for kind existing. Secret. */
  readonly adminPassword: string | undefined;
  readonly database: DatabaseConfig;
  /** What existed before the stack. */
  readonly adopt: AdoptConfig;
  readonly roles: readonly RoleConfig[];
  /** By role; a role that is not named here gets a generated password. Secret. */
  readonly passwords: Readonly<Record<string, string>>;
  readonly migrations: MigrationsConfig;
  readonly dump: DumpConfig | undefined;
  readonly restore: RestoreConfig | undefined;
  readonly cutover: CutoverConfig | undefined;
  /** Whether `destroy` refuses to touch database and roles. */
  readonly protect: boolean;
}

/** Every key of the namespace, each read by its own schema, so that each reports its faults by itself. */
const keys = {
  instance: Instance,
  adminPassword: v.optional(Password),
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
  constructor(faults: readonly string[]) {
    super(
      `The stack's configuration has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}:\n  ${faults.join("\n  ")}`,
    );
    this.name = "ConfigError";
  }
}

/**
 * Reads the namespace's keys (without `pgstack:`), as text the way Pulumi hands them over.
 * Throws ConfigError, which lists every fault and shows no secret.
 */
export function parseConfig(raw: Readonly<Record<string, string>>): StackConfig {
  const faults = unknownKeys(raw);
  const values: Record<string, unknown> = {};
  for (const [key, schema] of Object.entries(keys)) {
    const result = v.safeParse(schema as v.GenericSchema, decode(key, raw[key]));
    if (result.success) values[key] = result.output;
    else faults.push(...result.issues.map((issue) => describeFault(key, issue)));
  }
  if (faults.length > 0) throw new ConfigError(faults);
  const config = values as Values;
  const contradicting = contradictions(config);
  if (contradicting.length > 0) throw new ConfigError(contradicting);
  return { ...config, protect: config.protect ?? config.instance.kind !== "local" };
}
