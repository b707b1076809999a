import * as pulumi from "@pulumi/pulumi";
import * as v from "valibot";
import { AdminAuth, ExistingInstance, type ExistingInstanceConfig } from "../runner/config/instance.ts";
import { ConfigError, checkConfig, describeFault, type StackConfig } from "../runner/config/parse.ts";
import { allLogins } from "../runner/config/rotation.ts";
import { Password } from "../runner/config/types.ts";
import type { DatabaseSettings, InstanceArgs, LocalInstanceArgs } from "./interfaces.ts";
import { orFail } from "./parts/refusal.ts";

// Arguments go through the door that a stack's configuration goes through (runner/config). What is known only later stands
// there as a value that fits, and is checked when it is known.

/** Keys of an existing instance's configuration. */
export type ExistingKey = Exclude<keyof ExistingInstanceConfig, "kind">;

const isLater = (value: unknown) => pulumi.Output.isInstance(value) || value instanceof Promise;

/** A fault as a component's arguments have it: there is no namespace, and the database's own keys are not nested. */
const asArgument = (fault: string) => fault.replace(/^pgstack:(instance\.|database\.)?/, "");

function refused(what: string, faults: readonly string[]): pulumi.RunError {
  return new pulumi.RunError(new ConfigError(faults.map(asArgument), what).message);
}

function faultsOf(key: string, schema: v.GenericSchema, value: unknown): string[] {
  const result = v.safeParse(schema, value);
  return result.success ? [] : result.issues.map((issue) => describeFault(key, issue));
}

/** A value as the schema reads it, checked when it is known; a fault ends the program. */
function readLater<Schema extends v.GenericSchema>(
  what: string,
  key: string,
  schema: Schema,
  value: unknown,
): pulumi.Output<v.InferOutput<Schema>> {
  const read = async (known: unknown) => {
    const faults = faultsOf(key, schema, known);
    if (faults.length > 0) throw refused(what, faults);
    return v.parse(schema, known);
  };
  const settled = pulumi.output(value as pulumi.Input<string>); // of any type: the schema says of which
  return settled.apply((known) => orFail(read(known)));
}

const { kind: _, ...existingEntries } = ExistingInstance.entries;
const existing = {
  ...existingEntries,
  adminPassword: v.optional(Password),
  adminAuth: v.optional(AdminAuth),
} as const;

/** The values of an instance that others run. Throws RunError that lists every fault of what is known. */
export function checkInstance(name: string, args: InstanceArgs) {
  const what = `Instance "${name}"`;
  const given = args as unknown as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).filter((key) => !(key in existing));
  const entries = Object.entries(existing);
  const faults = [
    ...unknown.map((key) => `${key}: unknown key; known: ${Object.keys(existing).join(", ")}`),
    ...entries.flatMap(([key, schema]) => (isLater(given[key]) ? [] : faultsOf(key, schema, given[key]))),
    ...((given.adminPassword === undefined) === (given.adminAuth === undefined)
      ? ["adminPassword: expected one of adminPassword and adminAuth"]
      : []),
  ];
  if (faults.length > 0) throw refused(what, faults);
  const values = entries.map(([key, schema]) => [key, readLater(what, key, schema, given[key])]);
  return { ...Object.fromEntries(values), hasRootCert: args.sslRootCert !== undefined } as {
    readonly [Key in ExistingKey]: pulumi.Output<ExistingInstanceConfig[Key]>;
  } & { readonly adminPassword: pulumi.Output<string | undefined>; readonly hasRootCert: boolean };
}

const someDatabase = { name: "checked", owner: "checked_owner" };

/** Throws RunError that lists every fault. */
export function checkLocalInstance(name: string, args: LocalInstanceArgs): LocalInstanceArgs {
  const checked = checkConfig({ instance: { ...args, kind: "local" }, database: someDatabase });
  if ("faults" in checked) throw refused(`LocalInstance "${name}"`, checked.faults);
  return checked.config.instance.kind === "local" ? checked.config.instance : {};
}

/** What a database is made from. */
export type CheckedDatabase = Omit<StackConfig, "instance" | "adminPassword" | "adminAuth" | "passwords"> & {
  /** By role. */
  readonly passwords: Readonly<Record<string, pulumi.Output<string>>>;
};

/** Throws RunError that lists every fault of what is known. */
export function checkDatabase(
  component: string,
  args: DatabaseSettings,
  server: { readonly isLocal: boolean },
): CheckedDatabase {
  const what = `Database "${component}"`;
  const { name, owner, schemas, extensions, passwords = {}, ...others } = args;
  const known = Object.entries(passwords).map(([role, given]) => [role, isLater(given) ? "later" : given]);
  const checked = checkConfig({
    ...others,
    instance: { kind: "local" },
    database: { name, owner, schemas, extensions },
    passwords: Object.fromEntries(known),
  });
  const unknown = Object.keys(others).filter((key) => !settings.has(key));
  const faults = [
    ...unknown.map((key) => `${key}: unknown key; known: ${[...ofDatabase, ...settings].join(", ")}`),
    ...("faults" in checked ? checked.faults : []),
  ];
  if ("faults" in checked || faults.length > 0) throw refused(what, faults);
  const { instance: __, adminPassword: ___, adminAuth: ____, ...config } = checked.config;
  const later = Object.entries(passwords).map(([role, given]) => [
    role,
    pulumi.secret(readLater(what, `passwords.${role}`, Password, given)),
  ]);
  const roles = allLogins(config.roles, config.adopt);
  return { ...config, roles, protect: args.protect ?? !server.isLocal, passwords: Object.fromEntries(later) };
}

const ofDatabase = ["instance", "name", "owner", "schemas", "extensions", "passwords"];

/** What a database takes beside its own values. */
const settings = new Set(["adopt", "roles", "migrations", "dump", "restore", "cutover", "protect"]);
