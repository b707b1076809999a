import type { FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import type pg from "pg";
import { identifier } from "../../postgres/sql.ts";
import { type ColumnId, isColumn, pathOf } from "../catalog/managed-view.ts";
import { isReturn, type Return, returning } from "../rows/restore-rows.ts";

/** How pg-delta changes a column's type: by a cast of its own. */
const retyping =
  /^(?<head>ALTER TABLE .* ALTER COLUMN (?<name>.*) TYPE )(?<type>.*) USING \k<name>::\k<type>$/s;

/** True for a type of strings. */
export const isString = (type: string) =>
  /^(text|character varying|character|bpchar|name)\b(?!.*\[\]$)/.test(type);

interface Retyping {
  readonly head: string;
  readonly name: string;
  readonly type: string;
  readonly old: string;
  /** The column's value, as one of a type that PostgreSQL has casts for. */
  readonly value: string;
  /** The new type, or what is below it where that is a domain. */
  readonly target: string;
}

/** The column that a statement alters. */
export function columnOf({ consumes }: Action): ColumnId | undefined {
  return consumes.find(isColumn);
}

/** The type below a domain, or below an array of one; the type itself where it is none. */
export function withoutDomain(facts: FactBase, id: ColumnId, type: string): string {
  const targets = facts.outgoingEdges(id).map(({ to }) => facts.get(to));
  const domain = targets.find((fact) => fact?.id.kind === "domain");
  return domain === undefined ? type : `${domain.payload.baseType}${type.endsWith("[]") ? "[]" : ""}`;
}

function read(action: Action, from: FactBase, to: FactBase): Retyping | undefined {
  const id = columnOf(action);
  const groups = action.sql.match(retyping)?.groups as Pick<Retyping, "head" | "name" | "type"> | undefined;
  const type = id === undefined ? undefined : from.get(id)?.payload.type;
  if (groups === undefined || id === undefined || typeof type !== "string") return undefined;
  const old = withoutDomain(from, id, type);
  const value = old === type ? groups.name : `${groups.name}::${old}`;
  return { ...groups, old, value, target: withoutDomain(to, id, groups.type) };
}

interface Attribute {
  readonly name: string;
  readonly type: string;
  /** How its value is cast before it can become one of another type. */
  readonly cast: string;
}

/** A domain's value is one of its base type; one of any other type of the user's goes by way of text. */
function castOf(facts: FactBase, composite: StableId, type: string): string {
  if (!type.includes(".")) return "";
  const below = facts.outgoingEdges(composite).map(({ to }) => facts.get(to));
  const domain = below.find((fact) => fact?.id.kind === "domain" && type === pathOf(fact.id));
  return `::${domain?.payload.baseType ?? "text"}`;
}

/** The attributes of the composite type that a column has, in their order. */
function attributesOf(facts: FactBase, id: ColumnId): Attribute[] | undefined {
  const targets = facts.outgoingEdges(id).map(({ to }) => facts.get(to));
  const composite = targets.find((fact) => fact?.payload.variant === "composite");
  if (composite === undefined || String(facts.get(id)?.payload.type).endsWith("[]")) return undefined;
  const attributes = facts.childrenOf(composite.id).filter((child) => child.id.kind === "typeAttribute");
  return attributes
    .sort((one, other) => Number(one.payload._position) - Number(other.payload._position))
    .map(({ id: attribute, payload }) => {
      const type = String(payload.type);
      return { name: (attribute as { name: string }).name, type, cast: castOf(facts, composite.id, type) };
    });
}

/** An attribute's value for a row of another type: by assignment, or as text where PostgreSQL has no cast. */
async function convertedAttribute(
  client: pg.Client,
  column: string,
  old: Attribute,
  wanted: Attribute,
): Promise<string> {
  const value = `(${column}).${identifier(old.name)}`;
  if (old.type === wanted.type) return value;
  if (old.cast !== "") return `${value}${old.cast}`;
  const { rows } = await client.query<{ possible: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_cast WHERE castsource = to_regtype($1) AND casttarget = to_regtype($2)) AS possible`,
    [old.type, wanted.type],
  );
  return rows[0]?.possible === false ? `${value}::text` : value;
}

/** A row of one composite type as one of another, attribute by attribute: PostgreSQL has no cast between them. */
async function convertedRow(
  client: pg.Client,
  action: Action,
  change: Retyping,
  from: FactBase,
  to: FactBase,
): Promise<string | undefined> {
  const id = columnOf(action);
  const [before, after] = id === undefined ? [] : [attributesOf(from, id), attributesOf(to, id)];
  if (before === undefined || after === undefined) return undefined;
  const { head, name, type } = change;
  const fields: string[] = [];
  for (const wanted of after) {
    const old = before.find((one) => one.name === wanted.name);
    fields.push(old === undefined ? "NULL" : await convertedAttribute(client, name, old, wanted));
  }
  return `${head}${type} USING CASE WHEN ${name} IS DISTINCT FROM NULL THEN ROW(${fields.join(", ")})::${type} END`;
}

/** Expressions that may convert a value, the best first; by way of text everything is at least tried with each row. */
function candidates({ value, type, old }: Retyping): string[] {
  const toArray = type.endsWith("[]") && !old.endsWith("[]");
  const one = `CASE WHEN ${value} IS NOT NULL THEN ARRAY[${value}]::${type} END`;
  const cast = `${value}::${type}`;
  return [
    ...(toArray ? [one, cast] : [cast]),
    ...([type, old].includes("boolean") ? [`${value}::integer::${type}`] : []),
    ...(/^jsonb?$/.test(type) ? [`to_${type}(${value})`] : []),
    `${value}::text::${type}`,
  ];
}

/** SQLSTATE of a cast that does not exist, and of a type that one of the databases lacks. */
const impossible = ["42846", "42704"];

async function works(client: pg.Client, { name, old }: Retyping, expression: string): Promise<boolean> {
  try {
    await client.query(`SELECT ${expression} FROM (SELECT NULL::${old} AS ${name}) AS probe`);
    return true;
  } catch (error) {
    return !impossible.includes((error as pg.DatabaseError).code ?? "");
  }
}

async function converted(client: pg.Client, change: Retyping): Promise<string> {
  const { head, type, old } = change;
  if (isString(type)) return `${head}${type}`; // by assignment: a cast would cut what is too long
  const all = candidates(change);
  if (isString(old) && !type.endsWith("[]")) return `${head}${type} USING ${all[0]}`;
  const probes = candidates({ ...change, type: change.target });
  for (const [index, expression] of all.slice(0, -1).entries())
    if (await works(client, change, probes[index] ?? expression)) return `${head}${type} USING ${expression}`;
  return `${head}${type} USING ${all.at(-1)}`;
}

/** Where a value comes back to its table by the conversion that ALTER COLUMN … TYPE makes. */
async function returned(client: pg.Client, action: Return, from: FactBase, to: FactBase): Promise<Return> {
  const values: Return["values"][number][] = [];
  for (const value of action.values) {
    const sql = value.retyping && (await conversion(client, value.retyping, from, to));
    const expression = sql?.split(" USING ")[1] ?? identifier(value.column.id.name);
    values.push(sql === undefined ? value : { ...value, expression });
  }
  return returning(action.into, action.source, values);
}

/** The statement of a conversion that exists; undefined where an action changes no column's type. */
async function conversion(
  client: pg.Client,
  action: Action,
  from: FactBase,
  to: FactBase,
): Promise<string | undefined> {
  const change = read(action, from, to);
  if (change === undefined) return undefined;
  return (await convertedRow(client, action, change, from, to)) ?? (await converted(client, change));
}

/**
 * A plan whose columns get their new types by conversions that exist: pg-delta casts, whether PostgreSQL has such a
 * cast or not.
 * @param client a scratch database to ask
 */
export async function withConversions(
  client: pg.Client,
  actions: readonly Action[],
  from: FactBase,
  to: FactBase,
): Promise<Action[]> {
  const all: Action[] = [];
  for (const action of actions) {
    if (isReturn(action)) all.push(await returned(client, action, from, to));
    else all.push({ ...action, sql: (await conversion(client, action, from, to)) ?? action.sql });
  }
  return all;
}
