import * as v from "valibot";
import { exclusionForm, isExclusion } from "./exclusion.ts";
import { ConnectionLimit, Duration, Identifier, RoleName, unique } from "./types.ts";

const Version = v.pipe(v.number("a number"), v.integer("a whole number"), v.minValue(1, "1 or more"));

/**
 * A point in time as ISO 8601 in UTC, or undefined where the text is none. A time without a zone is UTC's, so that the machine
 * that runs the program does not count. Pulumi hands a date that YAML reads as one over as Go prints it.
 */
function instantOf(text: string): string | undefined {
  const asWritten = text.trim().replace(/^(\S+) (\S+) ([+-]\d{4}) \S+$/, "$1T$2$3");
  const hasTime = /\d:\d/.test(asWritten);
  const hasZone = /([a-z]|[+-]\d\d(:?\d\d)?)$/i.test(asWritten);
  const instant = Date.parse(hasTime && !hasZone ? `${asWritten}Z` : asWritten);
  return Number.isNaN(instant) ? undefined : new Date(instant).toISOString().replace(".000Z", "Z");
}

/** `infinity`, or a date and time; read into ISO 8601 in UTC. */
const ValidUntil = v.pipe(
  v.string("a date"),
  v.check(
    (text) => text === "infinity" || instantOf(text) !== undefined,
    "a date such as 2027-01-31T00:00:00Z, or infinity",
  ),
  v.transform((text) => instantOf(text) ?? text),
);

const Exclusion = v.pipe(v.string(exclusionForm), v.check(isExclusion, exclusionForm));

const Role = v.strictObject({
  name: RoleName,
  access: v.picklist(["readonly", "readwrite"], "readonly or readwrite"),
  /** Schemas of the database that it may use (default: all of them). */
  schemas: v.optional(unique(Identifier)),
  /** Tables (`audit.*`, `public.secrets`) and columns (`users.email`) that it may not read. */
  exclude: v.optional(unique(Exclusion), []),
  connectionLimit: v.optional(ConnectionLimit, -1),
  /** Milliseconds; 0 is none. */
  statementTimeout: v.optional(Duration, 0),
  /** Milliseconds; 0 is none. */
  idleInTransactionTimeout: v.optional(Duration, 0),
  validUntil: v.optional(ValidUntil, "infinity"),
  /** Raised to rotate a generated password. */
  passwordVersion: v.optional(Version, 1),
  /** `pair`: two logins take turns, so that a client keeps its login through one rotation (default: one login). */
  rotate: v.optional(v.literal("pair", "pair")),
  /** Roles that it is a member of, of this stack or of the server. */
  memberOf: v.optional(unique(Identifier), []),
  /** Another database declares the role, with its password and attributes: only its rights in this database are stated here. */
  shared: v.optional(v.boolean("true or false")),
});

/** What of an entry belongs to the role itself, with its default; the rest is about one database. */
const ownSettings = {
  connectionLimit: -1,
  statementTimeout: 0,
  idleInTransactionTimeout: 0,
  validUntil: "infinity",
  passwordVersion: 1,
} as const;

/** What a shared role's entry says, and only the database that declares the role may say. */
export function saidOfShared(role: RoleConfig): string[] {
  if (role.shared !== true) return [];
  const said = Object.entries(ownSettings).filter(
    ([key, byDefault]) => role[key as keyof typeof ownSettings] !== byDefault,
  );
  const rotates = role.rotate === undefined ? [] : ["rotate"];
  return [...said.map(([key]) => key), ...rotates, ...(role.memberOf.length > 0 ? ["memberOf"] : [])];
}

export const Roles = v.pipe(
  v.array(Role, "a list of roles"),
  v.check((roles) => new Set(roles.map(({ name }) => name)).size === roles.length, "each role once"),
);
/** One login role beside the owner: an entry of `pgstack:roles`. */
export type RoleConfig = v.InferOutput<typeof Role> & {
  /** The password stays as it is, whatever its version: it is the other login's turn. */
  readonly passwordKept?: true;
  /** The one of two logins that clients take. */
  readonly login?: string;
};
