import type { EffectiveRole } from "../roles/catalog/effective-rights.ts";
import type { CatalogObject } from "../roles/catalog/objects.ts";
import { adviceOn, type SettingWithUnit } from "../roles/review/provider-check.ts";
import { classify } from "./classify.ts";
import type { FoundDatabase, FoundRole } from "./found.ts";
import type { VersionTable } from "./version-tables.ts";

/** What was read of the instance. */
export interface Findings {
  readonly instance: { readonly [key: string]: string | number };
  readonly database: FoundDatabase;
  readonly roles: readonly FoundRole[];
  readonly effective: readonly EffectiveRole[];
  readonly objects: readonly CatalogObject[];
  readonly versionTables: readonly VersionTable[];
  /** Timeouts of roles that the postgresql provider cannot read as they are. */
  readonly timeouts: readonly SettingWithUnit[];
  /** The newest of the project's migrations; undefined where there is none, or the database keeps their history. */
  readonly baseline: string | undefined;
  /** The database keeps a history of pgstack's own. */
  readonly recorded: boolean;
}

/** A stack's configuration, and what it cannot say. */
export interface Proposal {
  /** Keys of the namespace, without it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly remarks: readonly string[];
}

const timeoutKeys: Readonly<Record<string, string>> = {
  statement_timeout: "statementTimeout",
  idle_in_transaction_session_timeout: "idleInTransactionTimeout",
};

const settingOf = (setting: string): [string, string] => {
  const at = setting.indexOf("=");
  return [setting.slice(0, at), setting.slice(at + 1)];
};

/** A role's timeouts as the configuration says them, and its further settings. */
function settingsOf(
  { name, settings }: FoundRole,
  inUnits: readonly SettingWithUnit[],
): { known: Record<string, unknown>; remarks: string[] } {
  const known: Record<string, unknown> = {};
  const remarks: string[] = [];
  for (const [key, value] of settings.map(settingOf)) {
    const word = timeoutKeys[key];
    const inUnit = inUnits.find((one) => one.role === name && one.name === key);
    if (word !== undefined) known[word] = Number(inUnit?.milliseconds ?? value);
    else if (key !== "default_transaction_read_only")
      remarks.push(`role "${name}" has its own ${key} (${value}); it stays`);
  }
  return { known, remarks };
}

type RoleProposal = { role?: Record<string, unknown>; remarks: string[] };

/** Everything but rights: leaves out what has its default. */
function attributesOf({ connectionLimit, validUntil, memberOf }: FoundRole): Record<string, unknown> {
  return {
    ...(connectionLimit !== -1 && { connectionLimit }),
    ...(validUntil !== "infinity" && { validUntil }),
    ...(memberOf.length > 0 && { memberOf }),
  };
}

function proposeRole(role: FoundRole, { effective, objects, timeouts }: Findings): RoleProposal {
  const leftOut = (reason: string): RoleProposal => ({
    remarks: [`role "${role.name}" is left out and stays as it is: it ${reason}`],
  });
  const found = effective.find(({ name }) => name === role.name);
  if (found === undefined) return { remarks: [] };
  const classified = classify(found, objects);
  if (classified === undefined) return { remarks: [] };
  if ("reason" in classified) return leftOut(classified.reason);
  if (role.attributes.length > 0) return leftOut(`has ${role.attributes.join(", ")}`);
  const { known, remarks } = settingsOf(role, timeouts);
  const { access, schemas, exclude } = classified;
  return {
    role: {
      name: role.name,
      access,
      ...(schemas && { schemas }),
      ...(exclude.length > 0 && { exclude }),
      ...attributesOf(role),
      ...known,
    },
    remarks: [
      ...remarks,
      ...(role.owned > 0
        ? [
            `role "${role.name}" owns ${role.owned} objects; they stay its own until it is removed from the stack`,
          ]
        : []),
      ...(exclude.length > 0
        ? [
            `role "${role.name}" cannot read ${exclude.join(", ")} today, so "exclude" names ${exclude.length === 1 ? "it" : "them"}: ` +
              "take out what a forgotten grant left unreadable",
          ]
        : []),
    ],
  };
}

function remarksOn({ database, roles, versionTables, baseline }: Findings): string[] {
  const superusers = roles.filter(({ superuser }) => superuser).map(({ name }) => name);
  return [
    ...(database.ownerIsSuperuser
      ? [
          `the owner "${database.owner}" is a superuser; an owner of its own is safer: ALTER DATABASE … OWNER TO …`,
        ]
      : []),
    ...roles
      .filter(({ name, memberOf }) => name === database.owner && memberOf.length > 0)
      .map(
        ({ name, memberOf }) =>
          `the owner "${name}" is a member of ${memberOf.join(", ")}; it stays a member`,
      ),
    ...database.foreign.map(
      ({ owner, count }) =>
        `${count} tables, views and sequences belong to "${owner}", not to the database's owner; they stay so`,
    ),
    ...(database.connectionLimit === -1
      ? []
      : [`the database's connection limit (${database.connectionLimit}) stays`]),
    ...database.settings.map((setting) => `the database's own setting ${setting} stays`),
    ...database.others.map(({ kind, names }) => `${kind}s stay as they are: ${names.join(", ")}`),
    ...versionTables.map(
      ({ table, tool, version }) =>
        `table ${table} is ${tool}'s record of migrations${version === undefined ? "" : `, at ${version}`}; it stays`,
    ),
    ...(versionTables.length > 0 && baseline === undefined
      ? ["there are no migrations here, and the database has no tables to write the first from"]
      : []),
    ...(superusers.length > 0 ? [`superusers are no part of a stack: ${superusers.join(", ")}`] : []),
  ];
}

/** What Pulumi's postgresql provider does to roles of the stack, or cannot do with them as they are. */
function remarksOnProvider({ roles, timeouts }: Findings, names: readonly string[]): string[] {
  const administrators = roles.filter(
    ({ name, administers }) => names.includes(name) && administers.length > 0,
  );
  return [
    ...timeouts.filter(({ role }) => names.includes(role)).map(adviceOn),
    ...administrators.map(
      ({ name, administers }) =>
        `role "${name}" is a member of ${administers.map((group) => `"${group}"`).join(", ")} WITH ADMIN OPTION; the postgresql provider ` +
        "leaves that option out when it changes the role, and the same update gives it back",
    ),
  ];
}

/** The configuration of a stack that takes the database over as it is. */
export function propose(findings: Findings): Proposal {
  const { instance, database, baseline } = findings;
  const candidates = findings.roles.filter(
    ({ name, superuser }) => !superuser && name !== database.owner && name !== instance.adminUser,
  );
  const proposals = candidates.map((role) => proposeRole(role, findings));
  const roles = proposals.map(({ role }) => role).filter((role) => role !== undefined);
  const names = [database.owner, ...roles.map(({ name }) => String(name))];
  const config = {
    adopt: { importOnly: true, roles: names },
    instance,
    database: {
      name: database.name,
      owner: database.owner,
      schemas: database.schemas.map(({ name }) => name),
      extensions: database.extensions,
    },
    roles,
    ...(baseline !== undefined && { migrations: { baseline, adopt: true } }),
    protect: true,
  };
  return {
    config,
    remarks: [
      ...remarksOn(findings),
      ...proposals.flatMap(({ remarks }) => remarks),
      ...remarksOnProvider(findings, names),
    ],
  };
}
