// Tables, their columns and their constraints.
import type { Column, Draw, Kind, Part } from "./parts.ts";
import { anyType, kinOf, type Typed } from "./types.ts";

const storage = [
  "fillfactor=70",
  "autovacuum_enabled=false",
  "autovacuum_vacuum_scale_factor=0.3",
  "toast_tuple_target=4080",
];

function storageOptions({ dice }: Draw): string {
  const chosen = dice.once(4) ? dice.some(storage, 2) : [];
  return chosen.length === 0 ? "" : ` WITH (${chosen.join(", ")})`;
}

function columnPart(
  table: Part,
  column: Column,
  sql: string,
  needs: readonly string[],
  later: readonly string[] = [],
): Part {
  const key = `column ${table.name}.${column.name}`;
  return {
    key,
    kind: "column",
    name: column.name,
    sql: `${column.name} ${sql}`,
    needs,
    later,
    within: table.key,
    column,
  };
}

function settingsOf({ dice }: Draw, table: Part, name: string, type: string): string[] {
  const alter = (what: string) => `ALTER TABLE ${table.name} ALTER COLUMN ${name} ${what}`;
  const wide = /^(text|bytea|jsonb|character varying)/.test(type);
  return [
    ...(wide && dice.once(8) ? [alter("SET STORAGE EXTERNAL")] : []),
    ...(wide && dice.once(10) ? [alter("SET COMPRESSION pglz")] : []),
    ...(dice.once(10) ? [alter(`SET STATISTICS ${dice.of(10, 200)}`)] : []),
    ...(dice.once(15) ? [alter("SET (n_distinct = -0.5)")] : []),
  ];
}

function defaultOf(draw: Draw, { type, value }: Typed): { sql: string; needs: readonly string[] } {
  const { dice } = draw;
  if (type === "bigint" || type === "integer") {
    const sequence = dice.once(4) ? draw.any("sequence") : undefined;
    if (sequence !== undefined)
      return {
        sql: ` DEFAULT nextval('${sequence.name.replaceAll("'", "''")}'::regclass)`,
        needs: [sequence.key],
      };
    const routine = dice.once(4)
      ? dice.one(draw.all("function").filter(({ detail }) => detail?.gives === "integer"))
      : undefined;
    if (routine !== undefined) return { sql: ` DEFAULT ${routine.name}(4)`, needs: [routine.key] };
  }
  const own = type === "timestamp with time zone" && dice.once(2) ? "now()" : value.replaceAll(/\bi\b/g, "1");
  return { sql: ` DEFAULT ${own}`, needs: [] };
}

const numbers = new Set(["integer", "bigint", "smallint"]);

/** A column of a table: new, or another definition of the same column. */
export const columnKind: Kind = (draw, old) => {
  const table = old === undefined ? draw.any("table") : draw.schema.get(old.within ?? "");
  if (table === undefined || table.form === "partition") return undefined;
  if (old !== undefined && (old.detail?.fixed ?? "") !== "") return undefined;
  return columnOf(draw, table, old);
};

function columnOf(draw: Draw, table: Part, old?: Part): Part {
  const { dice } = draw;
  const name = old?.name ?? draw.plainName("c");
  const was = old?.column?.type;
  const same = { type: was ?? "", value: old?.column?.value ?? "NULL", needs: old?.needs ?? [] };
  const typed = was === undefined ? anyType(draw) : dice.once(2) ? (kinOf(draw, was) ?? same) : same;
  const { type, value } = typed;
  const collation =
    /^(text|character varying\(\d+\))$/.test(type) && dice.once(6) ? draw.any("collation") : undefined;
  const collate = collation === undefined ? "" : ` COLLATE ${collation.name}`;
  const needs = [
    ...typed.needs.filter((need) => !need.startsWith("collation")),
    ...(collation === undefined ? [] : [collation.key]),
  ];
  const later = settingsOf(draw, table, name, type);
  if (old === undefined && dice.once(9)) return generated(draw, table, name);
  if (numbers.has(type) && table.form === "plain" && dice.once(8)) {
    const options = dice.once(2) ? ` (START WITH ${dice.of(100, 2000)} INCREMENT BY ${dice.of(1, 2)})` : "";
    return columnPart(
      table,
      { name, type, value },
      `${type} GENERATED ${dice.of("ALWAYS", "BY DEFAULT")} AS IDENTITY${options}`,
      needs,
      later,
    );
  }
  const given = dice.once(3) ? defaultOf(draw, typed) : { sql: "", needs: [] };
  const notNull =
    value !== "NULL" && (given.sql !== "" || table.form === "foreign") && dice.once(2) ? " NOT NULL" : "";
  return columnPart(
    table,
    { name, type, value },
    `${type}${collate}${given.sql}${notNull}`,
    [...needs, ...given.needs],
    later,
  );
}

function generated(draw: Draw, table: Part, name: string): Part {
  const { dice } = draw;
  const of = dice.one(
    draw.columnsOf(table).filter(({ column }) => column?.type === "integer" && column.value !== undefined),
  );
  const sql = of === undefined ? "(1 + 1)" : dice.of(`(${of.name} * 2)`, `(${of.name} + 1)`);
  const column = { name, type: "integer", value: undefined };
  return columnPart(
    table,
    column,
    `integer GENERATED ALWAYS AS ${sql} STORED`,
    of === undefined ? [] : [of.key],
  );
}

/** A table with some columns; the first is `id`. Another definition of it has other options. */
export const tableKind: Kind = (draw, old) => {
  if (old !== undefined) return changedTable(draw, old);
  const { dice } = draw;
  const name = draw.newName("t");
  const parent = dice.once(6)
    ? dice.one(draw.all("table").filter(({ form }) => form === "plain"))
    : undefined;
  const inherits = parent === undefined ? "" : ` INHERITS (${parent.name})`;
  const unlogged = dice.once(10) ? "UNLOGGED " : "";
  const table: Part = {
    key: `table ${name}`,
    kind: "table",
    name,
    sql: `CREATE ${unlogged}TABLE ${name} (%COLUMNS%)${inherits}${storageOptions(draw)}`,
    later: tableSettings(draw, name),
    needs: parent === undefined ? [] : [parent.key],
    form: "plain",
    detail: { unlogged, inherits },
  };
  return withColumns(draw, table, parent === undefined);
};

function tableSettings({ dice }: Draw, name: string): string[] {
  return [
    ...(dice.once(8) ? [`ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`] : []),
    ...(dice.once(12) ? [`ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`] : []),
    ...(dice.once(10) ? [`ALTER TABLE ${name} REPLICA IDENTITY ${dice.of("FULL", "NOTHING")}`] : []),
  ];
}

function withColumns(draw: Draw, table: Part, withId: boolean, first: readonly Part[] = []): Part[] {
  const id = columnPart(table, { name: "id", type: "integer", value: "i" }, "integer NOT NULL", []);
  const parts: Part[] = [table, ...(withId ? [{ ...id, detail: { fixed: "yes" } }] : []), ...first];
  const schema = new Map([...draw.schema, ...parts.map((part) => [part.key, part] as const)]);
  const columns = Array.from({ length: 1 + draw.dice.below(4) }, () => {
    const within = {
      ...draw,
      columnsOf: (one: Part) => [...schema.values()].filter((part) => part.within === one.key),
    };
    const column = columnOf(within, table);
    schema.set(column.key, column);
    return column;
  });
  return [...parts, ...columns];
}

function changedTable(draw: Draw, old: Part): Part {
  const { dice } = draw;
  if (old.form === "partition" || old.form === "partitioned" || old.form === "foreign")
    return { ...old, later: tableSettings(draw, old.name) };
  const unlogged = dice.once(3)
    ? old.detail?.unlogged === ""
      ? "UNLOGGED "
      : ""
    : (old.detail?.unlogged ?? "");
  const inherits = dice.once(4) ? "" : (old.detail?.inherits ?? "");
  const sql = `CREATE ${unlogged}TABLE ${old.name} (%COLUMNS%)${inherits}${storageOptions(draw)}`;
  return { ...old, sql, later: tableSettings(draw, old.name), detail: { unlogged, inherits } };
}

/** A partitioned table. */
export const partitionedKind: Kind = (draw, old) => {
  if (old !== undefined) return undefined;
  const { dice } = draw;
  const name = draw.newName("pt");
  const method = dice.of("range", "list", "hash");
  const table: Part = {
    key: `table ${name}`,
    kind: "table",
    name,
    sql: `CREATE TABLE ${name} (%COLUMNS%) PARTITION BY ${method} (k)`,
    later: tableSettings(draw, name).filter((sql) => !sql.includes("REPLICA")),
    needs: [],
    form: "partitioned",
    partitioning: { column: "k", method },
  };
  const key = columnPart(table, { name: "k", type: "integer", value: "i" }, "integer NOT NULL", []);
  return withColumns(draw, table, true, [{ ...key, detail: { fixed: "yes" } }]);
};

function boundOf({ dice }: Draw, method: string, taken: number): string {
  if (dice.once(5) && method !== "hash") return "DEFAULT";
  if (method === "range") return `FOR VALUES FROM (${taken * 10}) TO (${taken * 10 + dice.of(10, 10, 7)})`;
  if (method === "list")
    return `FOR VALUES IN (${taken * 2 + 1}, ${taken * 2 + 2}${dice.once(4) ? ", NULL" : ""})`;
  return `FOR VALUES WITH (MODULUS 4, REMAINDER ${taken % 4})`;
}

/** A partition, which may be partitioned itself. */
export const partitionKind: Kind = (draw, old) => {
  if (old !== undefined) return undefined;
  const { dice } = draw;
  const parent = dice.one(draw.all("table").filter(({ partitioning }) => partitioning !== undefined));
  if (parent?.partitioning === undefined) return undefined;
  const name = draw.newName("p");
  const others = draw.all("table").filter(({ detail }) => detail?.parent === parent.key).length;
  const method = parent.form === "partitioned" && dice.once(6) ? dice.of("range", "list", "hash") : undefined;
  const column = parent.partitioning.column === "k" ? "id" : "k";
  const by = method === undefined ? "" : ` PARTITION BY ${method} (${column})`;
  const bound = boundOf(draw, parent.partitioning.method, others);
  return {
    key: `table ${name}`,
    kind: "table",
    name,
    sql: `CREATE TABLE ${name} PARTITION OF ${parent.name} ${bound}${by}${by === "" ? storageOptions(draw) : ""}`,
    needs: [parent.key],
    form: "partition",
    detail: { parent: parent.key },
    ...(method === undefined ? {} : { partitioning: { column, method } }),
  };
};

/** The table whose CREATE TABLE lists a table's columns. */
function rootOf(draw: Draw, table: Part): Part {
  const parent = draw.schema.get(table.detail?.parent ?? "");
  return parent === undefined ? table : rootOf(draw, parent);
}

/** The columns of a table, a partition's of its root. */
export const allColumns = (draw: Draw, table: Part) => draw.columnsOf(rootOf(draw, table));

const deferring = ["", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"] as const;

/** A primary key, a unique, check, exclusion or foreign key constraint. */
export const constraintKind: Kind = (draw, old) => {
  const { dice } = draw;
  const table = old === undefined ? draw.any("table") : draw.schema.get(old.detail?.table ?? "");
  if (table === undefined || table.form === "foreign") return undefined;
  const name = old?.name ?? draw.plainName("con");
  const key = `constraint ${table.name}.${name}`;
  const part = (sql: string, needs: readonly string[], type: string): Part => ({
    key,
    kind: "constraint",
    name,
    sql: `ALTER TABLE ${table.name} ADD CONSTRAINT ${name} ${sql}`,
    needs: [table.key, ...needs],
    detail: { table: table.key, type },
  });
  const type = old?.detail?.type ?? dice.of("primary", "unique", "check", "foreign", "exclude");
  return definitions[type]?.(draw, table, part);
};

type MakePart = (sql: string, needs: readonly string[], type: string) => Part;

function keyColumns(draw: Draw, table: Part): string {
  if (table.partitioning !== undefined || table.form === "partition") return draw.dice.of("id, k", "k, id");
  const more = draw.dice.once(3)
    ? draw.dice.one(draw.columnsOf(table).filter(({ column }) => column?.type === "text"))
    : undefined;
  return more === undefined ? "id" : `id, ${more.name}`;
}

const columnNeeds = (draw: Draw, table: Part, names: string) =>
  allColumns(draw, table)
    .filter(({ name }) => names.split(", ").includes(name))
    .map(({ key }) => key);

function includes(draw: Draw, table: Part): { sql: string; needs: string[] } {
  const column = draw.dice.once(5)
    ? draw.dice.one(draw.columnsOf(table).filter(({ name }) => name !== "id"))
    : undefined;
  return column === undefined
    ? { sql: "", needs: [] }
    : { sql: ` INCLUDE (${column.name})`, needs: [column.key] };
}

const definitions: Readonly<Record<string, (draw: Draw, table: Part, part: MakePart) => Part | undefined>> = {
  primary: (draw, table, part) => {
    const names = keyColumns(draw, table);
    const more = includes(draw, table);
    const sql = `PRIMARY KEY (${names})${more.sql}${draw.dice.once(6) ? draw.dice.of(...deferring) : ""}`;
    return part(sql, [...columnNeeds(draw, table, names), ...more.needs], "primary");
  },
  unique: (draw, table, part) => {
    const names = keyColumns(draw, table);
    const more = includes(draw, table);
    const nulls = draw.dice.once(5) ? " NULLS NOT DISTINCT" : "";
    const sql = `UNIQUE${nulls} (${names})${more.sql}${draw.dice.of(...deferring)}`;
    return part(sql, [...columnNeeds(draw, table, names), ...more.needs], "unique");
  },
  check: (draw, table, part) => {
    const { dice } = draw;
    const column = dice.one(
      allColumns(draw, table).filter(
        ({ column }) => column?.type === "integer" && column.value !== undefined,
      ),
    );
    if (column === undefined) return part("CHECK (true)", [], "check");
    const valid = `${dice.once(6) && table.form === "plain" ? " NO INHERIT" : ""}${dice.once(4) ? " NOT VALID" : ""}`;
    const sql = `CHECK (${column.name} > ${dice.of("-1", "-2")})${valid}`;
    return part(sql, [column.key], "check");
  },
  foreign: (draw, table, part) => {
    const { dice } = draw;
    const to = draw.any("constraint");
    const other = draw.schema.get(to?.detail?.table ?? "");
    if (to === undefined || other === undefined || !/^(primary|unique)$/.test(to.detail?.type ?? ""))
      return undefined;
    const columns = /\((?<list>id|id, k|k, id)\)/.exec(to.sql)?.groups?.list;
    if (columns === undefined) return undefined;
    const own = columnNeeds(draw, table, columns);
    if (own.length < columns.split(", ").length) return undefined;
    const action = dice.once(3) ? ` ON DELETE ${dice.of("CASCADE", "SET NULL", "RESTRICT")}` : "";
    const update = dice.once(6) ? " ON UPDATE CASCADE" : "";
    const match = dice.once(8) ? " MATCH FULL" : "";
    const valid = dice.once(4) && table.form === "plain" ? " NOT VALID" : "";
    const sql = `FOREIGN KEY (${columns}) REFERENCES ${other.name} (${columns})${match}${update}${action}${dice.of(...deferring)}${valid}`;
    return part(sql, [...own, to.key, other.key], "foreign");
  },
  exclude: (draw, table, part) => {
    if (table.form !== "plain") return undefined;
    const { dice } = draw;
    const column = dice.one(draw.columnsOf(table).filter(({ column }) => column?.type === "int4range"));
    const where = dice.once(3) ? " WHERE (id > 0)" : "";
    if (column !== undefined)
      return part(`EXCLUDE USING gist (${column.name} WITH &&)${where}`, [column.key], "exclude");
    return part(
      `EXCLUDE USING btree (id WITH =)${where}${dice.of(...deferring)}`,
      columnNeeds(draw, table, "id"),
      "exclude",
    );
  },
};
