import type { Archive, ArchiveEntry } from "../../dump/archive/parser.ts";

/** Who restores what of a dump, in which step. */
export interface RestorePlan {
  /** Schemas to be made first, for the owner. */
  readonly schemas: readonly string[];
  /** Made by the admin before all else: extensions, foreign servers and their kin. */
  readonly byAdmin: readonly ArchiveEntry[];
  /** Made under the owner's role by pg_restore. */
  readonly byOwner: readonly ArchiveEntry[];
  /** Refreshed after everything else, under the owner's own search_path. */
  readonly materializedViews: readonly ArchiveEntry[];
  /** What the owner may not have, or a copy must not have. */
  readonly leftOut: readonly ArchiveEntry[];
}

/** Objects that the admin makes: their owner is a superuser, or becomes the target's owner afterwards. */
const adminTypes = new Set([
  "EXTENSION",
  "FOREIGN DATA WRAPPER",
  "SERVER",
  "USER MAPPING",
  "PROCEDURAL LANGUAGE",
]);

/** Only a superuser may make these: https://www.postgresql.org/docs/current/sql-commands.html */
const superuserTypes = new Set([
  "EVENT TRIGGER",
  "ACCESS METHOD",
  "OPERATOR CLASS",
  "OPERATOR FAMILY",
  "TEXT SEARCH PARSER",
  "TEXT SEARCH TEMPLATE",
  "TRANSFORM",
  "PUBLICATION TABLES IN SCHEMA",
]);

/** Of what the admin makes, that which only a superuser may. */
const adminSuperuserTypes = new Set(["FOREIGN DATA WRAPPER", "PROCEDURAL LANGUAGE"]);

/** A copy must neither follow the source's publisher nor carry the source's rights. */
const neverTypes = new Set(["SUBSCRIPTION", "SUBSCRIPTION TABLE", "ACL", "DEFAULT ACL"]);

function needsSuperuser({ type, definition }: ArchiveEntry): boolean {
  if (type === "PUBLICATION") return /\bFOR ALL (TABLES|SEQUENCES)\b/.test(definition);
  if (type === "FUNCTION") return /^\s+LANGUAGE (c|internal)\b/m.test(definition);
  return superuserTypes.has(type);
}

/** What a plan has to know of the server that the dump is restored into. */
export interface PlanTarget {
  readonly ownerIsSuperuser: boolean;
  readonly adminIsSuperuser: boolean;
  /** Every role of the server. */
  readonly roles: readonly string[];
}

/** True for a user mapping of a role that the server lacks: https://www.postgresql.org/docs/current/sql-createusermapping.html */
function isForAbsentRole({ type, definition }: ArchiveEntry, { roles }: PlanTarget): boolean {
  if (type !== "USER MAPPING") return false;
  const [, quoted, plain] =
    definition.match(/^CREATE USER MAPPING FOR (?:"((?:[^"]|"")*)"|(\S+)) SERVER /) ?? [];
  const role = quoted?.replaceAll('""', '"') ?? plain;
  if (role === undefined || (quoted === undefined && role.toUpperCase() === "PUBLIC")) return false;
  return !roles.includes(role);
}

type Place = "schema" | "admin" | "owner" | "view" | "out" | "nowhere";

function placeOf(entry: ArchiveEntry, target: PlanTarget): Place {
  const { type, name } = entry;
  if (type === "SCHEMA") return "schema";
  if (type === "ACL" || type === "DEFAULT ACL") return "nowhere"; // the target's own access counts
  if (neverTypes.has(type) || isForAbsentRole(entry, target)) return "out";
  if (!target.adminIsSuperuser && adminSuperuserTypes.has(type)) return "out";
  if (adminTypes.has(type)) return "admin";
  if (type === "MATERIALIZED VIEW DATA") return "view";
  if (!target.ownerIsSuperuser && needsSuperuser(entry)) return "out";
  if (type === "COMMENT" || type === "SECURITY LABEL") return placeOfComment(name);
  return "owner";
}

/** The tag of a comment is the kind and name of its object, such as `EXTENSION hstore`. */
function placeOfComment(name: string): Place {
  return [...adminTypes].some((type) => name.startsWith(`${type} `)) ? "admin" : "owner";
}

/** A comment follows its object: where that is left out, so is the comment. */
function commentsOn(leftOut: readonly ArchiveEntry[]): Set<string> {
  return new Set(leftOut.map(({ type, name }) => `${type} ${name}`));
}

/** Entries of relations, which live in a schema that a dump of some tables does not hold. */
const relationTypes = new Set([
  "TABLE",
  "VIEW",
  "MATERIALIZED VIEW",
  "SEQUENCE",
  "FOREIGN TABLE",
  "TABLE DATA",
]);

/** The dump's schemas, and those of its relations. */
function schemasOf(entries: readonly ArchiveEntry[]): string[] {
  const own = entries.flatMap(({ type, name }) => (type === "SCHEMA" ? [name] : []));
  const used = entries.flatMap(({ type, schema }) =>
    relationTypes.has(type) && schema !== null ? [schema] : [],
  );
  return [...new Set([...own, ...used])];
}

/** Sorts the entries of a dump into steps. Pure. */
export function planRestore({ entries }: Pick<Archive, "entries">, target: PlanTarget): RestorePlan {
  const steps: Record<Place, ArchiveEntry[]> = {
    schema: [],
    admin: [],
    owner: [],
    view: [],
    out: [],
    nowhere: [],
  };
  for (const entry of entries) steps[placeOf(entry, target)].push(entry);
  const orphaned = commentsOn(steps.out);
  return {
    schemas: schemasOf(entries),
    byAdmin: steps.admin,
    byOwner: steps.owner.filter(({ type, name }) => type !== "COMMENT" || !orphaned.has(unquoted(name))),
    materializedViews: steps.view,
    leftOut: steps.out,
  };
}

function unquoted(tag: string): string {
  return tag.replaceAll('"', "");
}
