import { encodeId, type Fact, type FactBase } from "@supabase/pg-delta/core";
import { identifier } from "../../postgres/sql.ts";
import { allColumns, type ColumnFact, isTable } from "../catalog/managed-view.ts";
import { withoutDomain } from "../script/conversions.ts";
import { rowsAreRewritten, typesBelow } from "./row-types.ts";

/** How a column's values are held while its table is away, and how they are read back. */
export interface Held {
  /** The expression that takes the value along. */
  readonly out: string;
  /** The expression that gives the value back; undefined where it is what an ALTER COLUMN … TYPE makes of it. */
  readonly back?: string;
}

/** The attributes of a type, or the columns of a table whose row type it is, with what they are. */
function partsOf({ id }: Fact, facts: FactBase): string[] {
  const attributes = facts.childrenOf(id).filter((child) => child.id.kind === "typeAttribute");
  const all = isTable(id) ? [...allColumns(id, facts).values()] : attributes;
  return all
    .sort((one, other) => Number(one.payload._position) - Number(other.payload._position))
    .map((part) => JSON.stringify([(part.id as { name: string }).name, part.payload.type]));
}

const namesOf = (parts: readonly string[]) => JSON.stringify(parts.map((part) => JSON.parse(part)[0]));

/** True where a type is another one afterwards, or another object of that name. */
function changes(type: Fact, from: FactBase, to: FactBase, gone: ReadonlyMap<string, Fact>): boolean {
  if (gone.has(encodeId(type.id)) || !to.has(type.id)) return true;
  if (isTable(type.id) ? rowsAreRewritten(type, from, to) : from.hashOf(type.id) !== to.hashOf(type.id))
    return true;
  return JSON.stringify(partsOf(type, from)) !== JSON.stringify(partsOf(type, to));
}

/** True where a row has other parts afterwards, so that its text would be read wrongly. */
function hasOtherParts(type: Fact, from: FactBase, to: FactBase): boolean {
  const after = to.get(type.id);
  return after !== undefined && namesOf(partsOf(type, from)) !== namesOf(partsOf(after, to));
}

/** Rows keep their parts by name as JSON. */
function asJson(name: string, type: string): Held {
  const row = (value: string, of: string) => `json_populate_record(NULL::${of}, ${value})`;
  const element = type.replace(/\[\]$/, "");
  const rows = `CASE WHEN ${name} IS NOT NULL THEN ARRAY(SELECT ${row("part", element)} FROM json_array_elements(${name}) AS part) END`;
  return { out: `to_json(${name})`, back: type.endsWith("[]") ? rows : row(name, type) };
}

/** How the values of a column outlast a change of their types: a column of an old type would keep that type. */
export function heldValues(
  { id, payload }: ColumnFact,
  from: FactBase,
  after: ColumnFact,
  to: FactBase,
  gone: ReadonlyMap<string, Fact>,
): Held {
  const name = identifier(id.name);
  const [old, type] = [String(payload.type), String(after.payload.type)];
  const types = typesBelow(id, from);
  if (!types.some((one) => changes(one, from, to, gone)))
    return { out: name, ...(old === type && { back: name }) };
  const base = withoutDomain(from, id, old);
  if (base !== old && !base.includes(".")) return { out: `${name}::${base}` };
  if (types.some((one) => hasOtherParts(one, from, to))) return asJson(name, type);
  return { out: `${name}::text`, back: `${name}::${type}` };
}
