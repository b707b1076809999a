import { qualified } from "../../../runner/postgres/sql.ts";
import type { Dice } from "../../support/random.ts";

/** What a column needs to be given a value. */
export interface Column {
  readonly name: string;
  readonly type: string;
  /** An SQL expression of `i`, a number from 1 on; undefined where PostgreSQL makes the value. */
  readonly value: string | undefined;
}

/** How a table is made. */
export type TableForm = "plain" | "partitioned" | "partition" | "foreign";

/** An object of a schema, or a part of one that comes and goes by itself: a column, a constraint, a comment. */
export interface Part {
  /** Kind and name: no other part has the same. */
  readonly key: string;
  readonly kind: string;
  /** The quoted name. */
  readonly name: string;
  /** The statement that makes it; a table's has `%COLUMNS%` in it. A column's is its definition. */
  readonly sql: string;
  /** Statements that follow. */
  readonly later?: readonly string[];
  /** Keys of the parts without which there is none. */
  readonly needs: readonly string[];
  /** The key of the table whose CREATE TABLE holds this one. */
  readonly within?: string;
  readonly column?: Column;
  readonly form?: TableForm;
  /** The column of a partition key, and by which method. */
  readonly partitioning?: { readonly column: string; readonly method: "range" | "list" | "hash" };
  /** Arguments of a routine, and whether it suits a default or an index; the base of a type, and so on. */
  readonly detail?: Readonly<Record<string, string | undefined>>;
}

/** The parts of a schema, by key, in the order in which they were thought of. */
export type Schema = ReadonlyMap<string, Part>;

/** What a kind of part draws from. */
export interface Draw {
  readonly dice: Dice;
  readonly schema: Schema;
  /** A new name in one of the schemas, quoted. */
  readonly newName: (prefix: string) => string;
  /** A new name without a schema, quoted. */
  readonly plainName: (prefix: string) => string;
  /** All parts of some kinds. */
  readonly all: (...kinds: readonly string[]) => Part[];
  /** One of them. */
  readonly any: (...kinds: readonly string[]) => Part | undefined;
  readonly columnsOf: (table: Part) => Part[];
}

/** Draws a part of a kind; for `old`, another definition of the same part. Undefined where the schema has nothing to make it of. */
export type Kind = (draw: Draw, old?: Part) => Part | readonly Part[] | undefined;

const schemas = ["public", "app", "Odd One"];

/** What parts are drawn from: the parts that are there, and names that none of them has. */
export function drawFrom(dice: Dice, schema: Schema, counter: { next: number }): Draw {
  const bare = (prefix: string) => {
    const number = counter.next++;
    return dice.once(12)
      ? `Odd "${prefix} ${number}`
      : dice.once(20)
        ? `select${number}`
        : `${prefix}${number}`;
  };
  const all = (...kinds: readonly string[]) =>
    [...schema.values()].filter(({ kind }) => kinds.includes(kind));
  return {
    dice,
    schema,
    all,
    newName: (prefix) => qualified(dice.once(3) ? dice.of("app", "Odd One") : "public", bare(prefix)),
    plainName: (prefix) => qualified(bare(prefix)),
    any: (...kinds) => dice.one(all(...kinds)),
    columnsOf: (table) => [...schema.values()].filter(({ within }) => within === table.key),
  };
}

/** The statements that a schema begins with. */
export const schemaStatements = schemas.slice(1).map((name) => `CREATE SCHEMA ${qualified(name)}`);

/** The keys of the parts that cannot be without those, those included. */
export function dependants(schema: Schema, keys: readonly string[]): ReadonlySet<string> {
  const gone = new Set(keys);
  for (let size = -1; size !== gone.size; ) {
    size = gone.size;
    for (const { key, needs, within } of schema.values())
      if ([...needs, ...(within === undefined ? [] : [within])].some((need) => gone.has(need))) gone.add(key);
  }
  return gone;
}

/** A schema without some parts and what needs them. */
export function without(schema: Schema, keys: readonly string[]): Schema {
  const gone = dependants(schema, keys);
  return new Map([...schema].filter(([key]) => !gone.has(key)));
}

/** A statement list that makes one part, columns included. */
export interface Unit {
  readonly key: string;
  readonly statements: readonly string[];
}

/** The units of a schema in an order in which each finds what it needs. Throws Error where parts need each other. */
export function unitsOf(schema: Schema): Unit[] {
  const units: Unit[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (part: Part): void => {
    const key = part.within ?? part.key;
    const whole = schema.get(key);
    if (whole === undefined || state.get(key) === "done") return;
    if (state.get(key) === "open") throw new Error(`${key} needs itself`);
    state.set(key, "open");
    const columns = [...schema.values()].filter(({ within }) => within === key);
    const needs = new Set([whole, ...columns].flatMap((one) => one.needs).filter((need) => need !== key));
    for (const need of needs) {
      const found = schema.get(need);
      if (found !== undefined && found.within !== key) visit(found);
    }
    state.set(key, "done");
    const list = columns.map(({ sql }) => sql).join(", ");
    const statements = [whole.sql.replace("%COLUMNS%", () => list), ...(whole.later ?? [])];
    units.push({ key, statements: [...statements, ...columns.flatMap(({ later = [] }) => later)] });
  };
  for (const part of schema.values()) visit(part);
  return units;
}
