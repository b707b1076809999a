import { type Access, rights } from "../config/access.ts";
import type { EffectiveRole } from "../roles/catalog/effective-rights.ts";
import type { CatalogObject } from "../roles/catalog/objects.ts";

/** What a role can do today, in the words of the configuration. */
export interface Standing {
  readonly access: Access;
  /** Undefined: all of the database's. */
  readonly schemas: readonly string[] | undefined;
  readonly exclude: readonly string[];
}

/** Why a role's rights have no such words; undefined reasons are no user's of the database at all. */
export interface Unsayable {
  readonly reason: string;
}

const writing = rights.readwrite.table.filter((privilege) => privilege !== "SELECT");
const takesRows = ({ relkind }: CatalogObject) => relkind === "r" || relkind === "p";

/** A name in the form that `exclude` takes. */
function excluded(...names: readonly string[]): string {
  return names.map((name) => (/[".*]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(".");
}

function exclusionsIn(role: EffectiveRole, tables: readonly CatalogObject[]): string[] {
  return tables.flatMap((table) => {
    if (role.rights.get(table.key)?.includes("SELECT")) return [];
    const readable = role.readableColumns.get(table.key) ?? [];
    if (readable.length === 0) return [excluded(table.schema, table.name)];
    const hidden = Object.keys(table.columns).filter((column) => !readable.includes(column));
    return hidden.map((column) => excluded(table.schema, table.name, column));
  });
}

function accessOn(role: EffectiveRole, tables: readonly CatalogObject[]): Access | Unsayable {
  const held = tables.map((table) => writing.filter((right) => role.rights.get(table.key)?.includes(right)));
  const writable = held.filter((some) => some.length === writing.length).length;
  if (writable === held.length && held.length > 0) return "readwrite";
  const some = held.filter((rights) => rights.length > 0).length;
  if (some === 0) return "readonly";
  return { reason: `may write to ${some} of the ${held.length} tables that it reads, and not in every way` };
}

/**
 * Says a role's effective rights as `access`, `schemas` and `exclude`; undefined for a role that reads no table here.
 * Tables that it cannot read in a schema where it reads others count as excluded, which is what holds today.
 */
export function classify(
  role: EffectiveRole,
  objects: readonly CatalogObject[],
): Standing | Unsayable | undefined {
  const schemas = objects
    .filter(({ kind, name }) => kind === "schema" && name !== "pgstack")
    .map(({ name }) => name);
  const usable = new Set(
    objects
      .filter((one) => one.kind === "schema" && role.rights.get(one.key)?.includes("USAGE"))
      .map(({ name }) => name),
  );
  const tables = objects.filter(
    ({ kind, schema }) => kind === "table" && usable.has(schema) && schemas.includes(schema),
  );
  const reads = (table: CatalogObject) =>
    role.rights.get(table.key)?.includes("SELECT") || role.readableColumns.has(table.key);
  const readable = tables.filter(reads);
  if (readable.length === 0) return undefined;
  const inUse = schemas.filter(
    (schema) =>
      usable.has(schema) &&
      (readable.some((one) => one.schema === schema) || !tables.some((one) => one.schema === schema)),
  );
  const access = accessOn(
    role,
    readable.filter((table) => takesRows(table) && role.rights.get(table.key)?.includes("SELECT")),
  );
  if (typeof access === "object") return access;
  const all = inUse.length === schemas.length;
  const exclude = exclusionsIn(
    role,
    tables.filter(({ schema }) => inUse.includes(schema)),
  );
  return { access, schemas: all ? undefined : inUse, exclude };
}
