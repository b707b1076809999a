import type { RoleAttributes } from "../../config/role-declaration.ts";
import { identifier } from "../../postgres/sql.ts";
import type { Membership, ServerRole } from "../catalog/attributes.ts";
import type { Statement } from "./statement.ts";

/** Settings that a declaration decides; a role's others are its own. Undefined: it has none of that name. */
function declaredSettings({ statementTimeout, idleInTransactionTimeout, adopted }: RoleAttributes) {
  const milliseconds = (value: number) => (value === 0 ? undefined : String(value));
  return {
    statement_timeout: milliseconds(statementTimeout),
    idle_in_transaction_session_timeout: milliseconds(idleInTransactionTimeout),
    ...(!adopted && { search_path: undefined, role: undefined }),
  };
}

const units: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A setting's value as plain milliseconds where it is a time: `30s` and `30000` are the same. */
function plainValue(value: string): string {
  const [, amount, unit = "ms"] = /^\s*(\d+)\s*(us|ms|s|min|h|d)?\s*$/.exec(value) ?? [];
  return amount === undefined ? value : String(Number(amount) * (units[unit] ?? 1));
}

function settingOf(settings: readonly string[], name: string): string | undefined {
  const found = settings.find((setting) => setting.startsWith(`${name}=`));
  const value = found === undefined ? undefined : plainValue(found.slice(name.length + 1));
  return value === "0" ? undefined : value; // 0 is no limit, as is no setting
}

function settingChanges(found: ServerRole, declared: RoleAttributes): string[] {
  const wanted = declaredSettings(declared);
  const everywhere = Object.entries(wanted).flatMap(([name, value]) => {
    if (settingOf(found.settings, name) === value) return [];
    return value === undefined ? `RESET ${name}` : `SET ${name} = ${value}`;
  });
  const here = [...Object.keys(wanted), "default_transaction_read_only"]
    .filter((name) => found.settingsHere.some((setting) => setting.startsWith(`${name}=`)))
    .map((name) => `IN DATABASE RESET ${name}`);
  return [...everywhere, ...here];
}

/** Attributes as ALTER ROLE takes them. An adopted role keeps those that a configuration cannot say. */
function attributeChanges(found: ServerRole, declared: RoleAttributes): string[] {
  const until =
    declared.validUntil === "infinity" ? null : Math.floor(Date.parse(declared.validUntil) / 1000);
  const foundUntil = found.validUntil === null ? null : Math.floor(found.validUntil / 1000);
  return [
    ...(declared.adopted ? [] : found.attributes.map((attribute) => `NO${attribute}`)),
    ...(found.login ? [] : ["LOGIN"]),
    ...(found.inherit || declared.adopted ? [] : ["INHERIT"]),
    ...(found.connectionLimit === declared.connectionLimit
      ? []
      : [`CONNECTION LIMIT ${declared.connectionLimit}`]),
    ...(until === foundUntil
      ? []
      : [`VALID UNTIL '${until === null ? "infinity" : new Date(until * 1000).toISOString()}'`]),
  ];
}

function membershipChanges(found: ServerRole, declared: RoleAttributes, major: number): string[] {
  const role = identifier(found.name);
  const revoke = (option: string, { group, grantor }: Membership) =>
    `REVOKE ${option}${identifier(group)} FROM ${role}${major >= 16 ? ` GRANTED BY ${identifier(grantor)}` : ""}`;
  const held = new Set(found.memberships.filter(({ effective }) => effective).map(({ group }) => group));
  const missing = declared.memberOf.filter((group) => !held.has(group));
  const options = major >= 16 ? " WITH INHERIT TRUE, SET TRUE" : "";
  const given = missing.map((group) => `GRANT ${identifier(group)} TO ${role}${options}`);
  if (declared.adopted) return given;
  const undeclared = found.memberships.filter(({ group }) => !declared.memberOf.includes(group));
  const administered = found.memberships.filter(
    (one) => one.adminOption && declared.memberOf.includes(one.group),
  );
  return [
    ...undeclared.map((one) => revoke("", one)),
    ...administered.map((one) => revoke("ADMIN OPTION FOR ", one)),
    ...given,
  ];
}

/**
 * The statements that make a role what it is declared to be: attributes, settings, memberships. Of a role that was there
 * before the stack, attributes and memberships that nobody declared stay.
 * @param major of the server's version
 */
export function planAttributes(
  found: ServerRole,
  declared: RoleAttributes,
  { database, major }: { readonly database: string; readonly major: number },
): Statement[] {
  const alter = `ALTER ROLE ${identifier(found.name)}`;
  const inDatabase = `IN DATABASE ${identifier(database)} `;
  const texts = [
    ...attributeChanges(found, declared).map((options) => `${alter} WITH ${options}`),
    ...settingChanges(found, declared).map(
      (change) => `${alter} ${change.replace(/^IN DATABASE /, inDatabase)}`,
    ),
    ...membershipChanges(found, declared, major),
  ];
  return texts.map((text) => ({ text, grantees: [], needs: undefined }));
}
