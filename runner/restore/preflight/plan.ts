import type { Archive, ArchiveEntry } from "../../dump/archive/parser.ts";

/** Who restores what of a dump, in which step. */
export interface RestorePlan {
  /** Schemas to be made first, for the owner. */
  readonly schemas: readonly string[];
  /** Made by the admin before all else: extensions, foreign servers and their kin. */
  readonly byAdmin: readonly ArchiveEntry[];
  /** Made under the owner's role by pg_restore. */
  readonly byOwner: readonly ArchiveEntry[];
  /** Filled after everything else, under the owner's own search_path. */
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

/** A copy must neither follow the source's publisher nor carry the source's rights. */
const neverTypes = new Set(["SUBSCRIPTION", "SUBSCRIPTION TABLE", "ACL", "DEFAULT ACL"]);

function needsSuperuser({ type, definition }: ArchiveEntry): boolean {
  if (type === "PUBLICATION") return /\bFOR ALL (TABLES|SEQUENCES)\b/.test(definition);
  if (type === "FUNCTION") return /^\s+LANGUAGE (c|internal)\b/m.test(definition);
  return superuserTypes.has(type);
}

type Place = "schema" | "admin" | "owner" | "view" | "out" | "nowhere";

function placeOf(entry: ArchiveEntry, ownerIsSuperuser: boolean): Place {
  const { type, name } = entry;
  if (type === "SCHEMA") return "schema";
  if (type === "ACL" || type === "DEFAULT ACL") return "nowhere"; // the target's own access counts
  if (neverTypes.has(type)) return "out";
  if (adminTypes.has(type)) return "admin";
  if (type === "MATERIALIZED VIEW DATA") return "view";
  if (!ownerIsSuperuser && needsSuperuser(entry)) return "out";
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

/** Sorts the entries of a dump into steps; pure. */
export function planRestore(archive: Archive, ownerIsSuperuser: boolean): RestorePlan {
  const steps: Record<Place, ArchiveEntry[]> = {
    schema: [],
    admin: [],
    owner: [],
    view: [],
    out: [],
    nowhere: [],
  };
  for (const entry of archive.entries) steps[placeOf(entry, ownerIsSuperuser)].push(entry);
  const orphaned = commentsOn(steps.out);
  return {
    schemas: steps.schema.map(({ name }) => name),
    byAdmin: steps.admin,
    byOwner: steps.owner.filter(({ type, name }) => type !== "COMMENT" || !orphaned.has(unquoted(name))),
    materializedViews: steps.view,
    leftOut: steps.out,
  };
}

function unquoted(tag: string): string {
  return tag.replaceAll('"', "");
}
