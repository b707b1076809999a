// Types that users define, and the types of columns.
import { literal } from "../../../runner/postgres/sql.ts";
import type { Draw, Kind, Part } from "./parts.ts";

/** A type and an expression of `i` that gives a value of it. */
export interface Typed {
  readonly type: string;
  readonly value: string;
  readonly needs: readonly string[];
}

const plain: readonly (readonly [type: string, value: string])[] = [
  ["integer", "i"],
  ["bigint", "i"],
  ["text", "'x' || i"],
  ["character varying(200)", "'x' || i"],
  ["numeric(12,2)", "i"],
  ["boolean", "i % 2 = 0"],
  ["timestamp with time zone", "timestamptz '2024-01-01' + i * interval '1 day'"],
  ["date", "date '2024-01-01' + i"],
  ["jsonb", "jsonb_build_object('a', i)"],
  ["integer[]", "ARRAY[i]"],
  ["text[]", "ARRAY['x' || i]"],
  ["uuid", "md5(i::text)::uuid"],
  ["int4range", "int4range(i, i + 1)"],
  ["interval(3)", "i * interval '1 hour'"],
  ["tsvector", "to_tsvector('simple', 'x' || i)"],
  ["bytea", "decode(md5(i::text), 'hex')"],
  ["inet", "inet '10.0.0.0' + i"],
  ["character(8)", "'x' || i"],
  ["time without time zone", "time '00:00' + i * interval '1 minute'"],
  ["double precision", "i"],
  ["smallint", "i"],
  ["bit varying(64)", "B'101'"],
  ["xml", "NULL"],
  ["point", "point(i, i)"],
];

/** Types to which every value of a type goes without loss, and back. */
const kin: Readonly<Record<string, readonly string[]>> = {
  integer: ["bigint", "numeric(12,2)", "text", "smallint"],
  bigint: ["integer", "numeric(12,2)", "text"],
  smallint: ["integer", "bigint"],
  text: ["character varying(200)", "character varying(300)"],
  "character varying(200)": ["text", "character varying(300)", "character varying(200)[]"],
  "timestamp with time zone": ["text"],
  date: ["text"],
  "integer[]": ["bigint[]"],
  uuid: ["text"],
};

function named(part: Part): Typed {
  const value = part.detail?.value ?? "NULL";
  return { type: part.name, value, needs: [part.key] };
}

/** A type for a column. */
export function anyType(draw: Draw, ...kinds: readonly string[]): Typed {
  const { dice } = draw;
  const own = dice.once(4)
    ? draw.any(...(kinds.length > 0 ? kinds : ["enum", "domain", "composite", "range"]))
    : undefined;
  if (own === undefined) {
    const [type, value] = dice.one(plain.slice(0, dice.once(2) ? 8 : plain.length)) ?? ["integer", "i"];
    return { type, value, needs: [] };
  }
  const { type, value, needs } = named(own);
  return dice.once(4)
    ? { type: `${type}[]`, value: `ARRAY[${value}]::${type}[]`, needs }
    : { type, value, needs };
}

/** Another type to which a column's values can go. */
export function kinOf({ dice }: Draw, type: string): Typed | undefined {
  const to = dice.one(kin[type] ?? []);
  return to === undefined ? undefined : { type: to, value: "NULL", needs: [] };
}

/** An enum; another definition has values more, or lacks some that no row holds. */
export const enumKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.newName("mood");
  const before = old?.detail?.values?.split(",") ?? ["a", "b"];
  const more = dice.some(["c", "d", "E 1", "it's", "z"], 3).filter((value) => !before.includes(value));
  const kept =
    old === undefined || dice.once(2) ? before : before.filter((value) => value === "a" || !dice.once(3));
  const values = dice.once(2) ? [...kept, ...more] : [...more, ...kept];
  const list = values.map((value) => literal(value)).join(", ");
  return {
    key: `enum ${name}`,
    kind: "enum",
    name,
    sql: `CREATE TYPE ${name} AS ENUM (${list})`,
    needs: [],
    detail: { value: `'a'::${name}`, values: values.join(",") },
  };
};

/** A domain over a plain type. */
export const domainKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.newName("dom");
  const base = dice.once(5) ? draw.any("enum") : undefined;
  const number = dice.once(2);
  const type =
    base?.name ?? (number ? dice.of("integer", "bigint") : dice.of("text", "character varying(90)"));
  const value = base === undefined ? (number ? "i" : "'x' || i") : `'a'::${base.name}`;
  const collate = base === undefined && !number && dice.once(4) ? draw.any("collation") : undefined;
  const parts = [
    collate === undefined ? "" : ` COLLATE ${collate.name}`,
    dice.once(3) ? ` DEFAULT ${base === undefined ? (number ? "7" : "'d'") : "'a'"}` : "",
    dice.once(5) ? " NOT NULL" : "",
    dice.once(2)
      ? ` CONSTRAINT ${draw.plainName("dc")} CHECK (VALUE IS DISTINCT FROM ${base === undefined ? (number ? "-5" : "'no'") : "'b'"})`
      : "",
    dice.once(4) ? ` CHECK (VALUE IS NOT NULL OR true)` : "",
  ];
  return {
    key: `domain ${name}`,
    kind: "domain",
    name,
    sql: `CREATE DOMAIN ${name} AS ${type}${parts.join("")}`,
    needs: [...(base === undefined ? [] : [base.key]), ...(collate === undefined ? [] : [collate.key])],
    detail: { value: `(${value})::${name}` },
  };
};

/** A composite type. */
export const compositeKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.newName("comp");
  const names = ["x", "y", "Z z"].slice(0, 1 + dice.below(3));
  const types = names.map(() => anyType(draw, "enum", "domain"));
  const list = names.map((attribute, at) => `"${attribute}" ${types[at]?.type}`).join(", ");
  return {
    key: `composite ${name}`,
    kind: "composite",
    name,
    sql: `CREATE TYPE ${name} AS (${list})`,
    needs: types.flatMap(({ needs }) => needs),
    detail: { value: "NULL" },
  };
};

/** A range type. */
export const rangeKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.newName("rng");
  const subtype = dice.of("integer", "text", "double precision", "date");
  const more = subtype === "double precision" && dice.once(2) ? ", SUBTYPE_DIFF = float8mi" : "";
  const collation = subtype === "text" && dice.once(2) ? ', COLLATION = pg_catalog."C"' : "";
  return {
    key: `range ${name}`,
    kind: "range",
    name,
    sql: `CREATE TYPE ${name} AS RANGE (SUBTYPE = ${subtype}${more}${collation})`,
    needs: [],
    detail: { value: "NULL" },
  };
};

/** A collation. */
export const collationKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.newName("coll");
  const form = dice.of(
    "PROVIDER = icu, LOCALE = 'de'",
    "PROVIDER = icu, LOCALE = 'und', DETERMINISTIC = false",
    "LOCALE = 'C'",
  );
  return {
    key: `collation ${name}`,
    kind: "collation",
    name,
    sql: `CREATE COLLATION ${name} (${form})`,
    needs: [],
  };
};
