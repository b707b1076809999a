// What is made over tables: indexes, views, statistics, policies, rules, triggers.
import { literal } from "../../../runner/postgres/sql.ts";
import type { Draw, Kind, Part } from "./parts.ts";
import { allColumns } from "./tables.ts";

const chosenColumns = (draw: Draw, table: Part, most: number) =>
  draw.dice.some(
    allColumns(draw, table).filter(({ column }) => column !== undefined && !/^(xml|point)/.test(column.type)),
    most,
  );

function tableOf(draw: Draw, old: Part | undefined, ...forms: readonly string[]): Part | undefined {
  const found = old === undefined ? undefined : draw.schema.get(old.detail?.over ?? "");
  const fitting = draw.all("table").filter(({ form }) => forms.includes(form ?? ""));
  return found ?? (old === undefined ? draw.dice.one(fitting) : undefined);
}

function indexElement(draw: Draw, { name, column }: Part): { sql: string; needs: readonly string[] } {
  const { dice } = draw;
  const order = `${dice.once(5) ? " DESC" : ""}${dice.once(6) ? " NULLS FIRST" : ""}`;
  if (column?.type === "text" && dice.once(3)) {
    const routine = dice.one(draw.all("function").filter(({ detail }) => detail?.gives === "text"));
    if (routine !== undefined) return { sql: `${routine.name}(${name})${order}`, needs: [routine.key] };
    return {
      sql:
        dice.of(`lower(${name})`, `(${name} || 'x')`, `${name} text_pattern_ops`, `${name} COLLATE "C"`) +
        order,
      needs: [],
    };
  }
  if (column?.type === "integer" && dice.once(4)) return { sql: `(${name} % 10)${order}`, needs: [] };
  return { sql: `${name}${order}`, needs: [] };
}

/** An index of a table or a materialized view. */
export const indexKind: Kind = (draw, old) => {
  const { dice } = draw;
  const table = tableOf(draw, old, "plain", "partitioned", "partition", "materialized");
  if (table === undefined) return undefined;
  const name = old?.name ?? draw.plainName("ix");
  const columns = chosenColumns(draw, table, 3);
  const [first] = columns;
  if (first === undefined) return undefined;
  const special = /^(jsonb|tsvector|.*\[\])$/.test(first.column?.type ?? "")
    ? "gin"
    : first.column?.type === "int4range"
      ? "gist"
      : undefined;
  const method = special ?? (columns.length === 1 && dice.once(6) ? dice.of("hash", "brin") : "btree");
  const elements =
    method === "btree"
      ? columns.map((column) => indexElement(draw, column))
      : [{ sql: first.name, needs: [] }];
  const unique =
    method === "btree" && table.form === "plain" && columns.some(({ name }) => name === "id") && dice.once(4);
  const rest = allColumns(draw, table).filter((column) => !columns.includes(column));
  const include = method === "btree" && dice.once(6) ? dice.one(rest) : undefined;
  const parts = [
    include === undefined ? "" : ` INCLUDE (${include.name})`,
    unique && dice.once(4) ? " NULLS NOT DISTINCT" : "",
    method === "btree" && dice.once(6) ? " WITH (fillfactor=80)" : "",
    dice.once(5) && table.form === "plain" ? " WHERE (id > 0)" : "",
  ];
  const only = table.form === "partitioned" && dice.once(5) ? "ONLY " : "";
  const key = `index ${table.name}.${name}`;
  const schemaName = table.name.slice(0, table.name.indexOf('".') + 1);
  const id = parts[3] === "" ? [] : allColumns(draw, table).filter((one) => one.name === "id");
  return {
    key,
    kind: "index",
    name: `${schemaName}.${name}`,
    sql: `CREATE ${unique ? "UNIQUE " : ""}INDEX ${name} ON ${only}${table.name} USING ${method} (${elements.map(({ sql }) => sql).join(", ")})${parts.join("")}`,
    later: indexSettings(draw, table, schemaName, name, unique),
    needs: [
      table.key,
      ...[...columns, ...(include === undefined ? [] : [include]), ...id].map(({ key }) => key),
      ...elements.flatMap(({ needs }) => needs),
    ],
    detail: { over: table.key },
  };
};

function indexSettings({ dice }: Draw, table: Part, schema: string, name: string, unique: boolean): string[] {
  if (table.form !== "plain") return [];
  return [
    ...(dice.once(12) ? [`ALTER TABLE ${table.name} CLUSTER ON ${name}`] : []),
    ...(unique && dice.once(3) ? [`ALTER TABLE ${table.name} REPLICA IDENTITY USING INDEX ${name}`] : []),
    ...(dice.once(12) ? [`ALTER INDEX ${schema}.${name} ALTER COLUMN 1 SET STATISTICS 77`] : []),
  ];
}

function queryOf(draw: Draw): { sql: string; needs: string[]; columns: Part[] } | undefined {
  const { dice } = draw;
  const from = draw.any("table", "view");
  if (from === undefined) return undefined;
  const all = from.kind === "view" ? [] : allColumns(draw, from);
  const columns = from.kind === "view" ? [] : dice.some(all, 4);
  const list = columns.map(({ name }) => `b.${name}`);
  const routine = dice.once(4)
    ? dice.one(draw.all("function").filter(({ detail }) => detail?.gives === "integer"))
    : undefined;
  const extra = routine === undefined ? [] : [`${routine.name}(3) AS called`];
  const select =
    [...list, ...extra].join(", ") || (from.kind === "view" && dice.once(2) ? "b.*" : "1 AS one");
  const whole = from.kind === "table" && dice.once(12) ? "b.*" : select;
  const where =
    columns.some(({ name }) => name === "id") && dice.once(3) ? ` WHERE b.id > ${dice.of("0", "-1")}` : "";
  const needs = [
    from.key,
    ...(whole === "b.*" ? all : columns).map(({ key }) => key),
    ...(routine === undefined ? [] : [routine.key]),
  ];
  return { sql: `SELECT ${whole} FROM ${from.name} b${where}`, needs, columns };
}

/** A view. */
export const viewKind: Kind = (draw, old) => {
  const { dice } = draw;
  const query = queryOf(draw);
  if (query === undefined || (old !== undefined && query.needs.includes(old.key))) return undefined;
  const name = old?.name ?? draw.newName("v");
  const options = dice.once(4) ? ` WITH (${dice.of("security_barrier=true", "security_invoker=true")})` : "";
  return {
    key: `view ${name}`,
    kind: "view",
    name,
    sql: `CREATE VIEW ${name}${options} AS ${query.sql}`,
    needs: query.needs,
  };
};

/** A materialized view, whose query's columns can be indexed as those of a table. */
export const materializedKind: Kind = (draw, old) => {
  const { dice } = draw;
  const query = queryOf(draw);
  if (query === undefined) return undefined;
  const name = old?.name ?? draw.newName("mv");
  const data = dice.once(3) ? " WITH NO DATA" : "";
  const options = dice.once(6) ? " WITH (fillfactor=60)" : "";
  const sql = `CREATE MATERIALIZED VIEW ${name}${options} AS ${query.sql}${data}`;
  const key = `materialized view ${name}`;
  const part: Part = { key, kind: "materialized view", name, sql, needs: query.needs };
  const [column] = query.columns;
  if (column === undefined || old !== undefined || /^(xml|point|json)/.test(column.column?.type ?? "xml"))
    return part;
  const index = draw.plainName("mvi");
  const made = `CREATE INDEX ${index} ON ${name} (${column.name})`;
  return [
    part,
    { key: `index ${name}.${index}`, kind: "view index", name: index, sql: made, needs: [key, column.key] },
  ];
};

/** Extended statistics. */
export const statisticsKind: Kind = (draw, old) => {
  const { dice } = draw;
  const table = tableOf(draw, old, "plain", "partitioned");
  if (table === undefined) return undefined;
  const fitting = draw
    .columnsOf(table)
    .filter(({ column }) => /^(integer|text|date|bigint)$/.test(column?.type ?? ""));
  const columns = dice.some(fitting, 4);
  if (columns.length < 2) return undefined;
  const name = old?.name ?? draw.newName("st");
  const kinds = dice.once(2) ? "" : ` (${dice.of("ndistinct", "dependencies, mcv", "mcv")})`;
  const list = columns.map(({ name }) => name).join(", ");
  return {
    key: `statistics ${name}`,
    kind: "statistics",
    name,
    sql: `CREATE STATISTICS ${name}${kinds} ON ${list} FROM ${table.name}`,
    later: dice.once(5) ? [`ALTER STATISTICS ${name} SET STATISTICS 33`] : [],
    needs: [table.key, ...columns.map(({ key }) => key)],
    detail: { over: table.key },
  };
};

/** A row security policy. */
export const policyKind: Kind = (draw, old) => {
  const { dice } = draw;
  const table = tableOf(draw, old, "plain", "partitioned");
  if (table === undefined) return undefined;
  const name = old?.name ?? draw.plainName("pol");
  const command = dice.of("ALL", "SELECT", "UPDATE", "DELETE");
  const to = dice.of("PUBLIC", "gen_r1", "gen_r1, gen_r2");
  const restrictive = dice.once(4) ? "AS RESTRICTIVE " : "";
  const id = draw.columnsOf(table).find(({ name }) => name === "id");
  const check = command === "UPDATE" || command === "ALL" ? (dice.once(2) ? " WITH CHECK (true)" : "") : "";
  return {
    key: `policy ${table.name}.${name}`,
    kind: "policy",
    name,
    sql: `CREATE POLICY ${name} ON ${table.name} ${restrictive}FOR ${command} TO ${to} USING (${id === undefined ? "true" : `id > ${dice.of("0", "1")}`})${check}`,
    needs: [table.key, ...(id === undefined ? [] : [id.key])],
    detail: { over: table.key },
  };
};

/** A rule, which does nothing where it stands. */
export const ruleKind: Kind = (draw, old) => {
  const { dice } = draw;
  const table = tableOf(draw, old, "plain");
  if (table === undefined) return undefined;
  const name = old?.name ?? draw.plainName("rule");
  const other = dice.once(3)
    ? dice.one(draw.all("table").filter(({ form, key }) => form === "plain" && key !== table.key))
    : undefined;
  const id = other === undefined ? undefined : draw.columnsOf(other).find(({ name }) => name === "id");
  const action =
    other === undefined || id === undefined ? "NOTHING" : `DELETE FROM ${other.name} WHERE id = -1`;
  return {
    key: `rule ${table.name}.${name}`,
    kind: "rule",
    name,
    sql: `CREATE RULE ${name} AS ON ${dice.of("DELETE", "UPDATE")} TO ${table.name} DO ALSO ${action}`,
    later: dice.once(4)
      ? [`ALTER TABLE ${table.name} ${dice.of("DISABLE", "ENABLE ALWAYS")} RULE ${name}`]
      : [],
    needs: [table.key, ...(other === undefined || id === undefined ? [] : [other.key, id.key])],
    detail: { over: table.key },
  };
};

/** A trigger of a table or a view. */
export const triggerKind: Kind = (draw, old) => {
  const { dice } = draw;
  const target =
    old === undefined ? draw.any("table", "table", "view") : draw.schema.get(old.detail?.over ?? "");
  const routine = dice.one(draw.all("trigger function"));
  if (target === undefined || routine === undefined) return undefined;
  const name = old?.name ?? draw.plainName("trg");
  const when = target.kind === "view" ? viewTrigger(draw) : tableTrigger(draw, target);
  const argument = dice.once(4) ? literal(dice.of("it's", "a", "")) : "";
  const { sql, needs, constraint } = when;
  const state =
    target.kind === "table" && dice.once(5)
      ? dice.of("DISABLE", "ENABLE ALWAYS", "ENABLE REPLICA")
      : undefined;
  return {
    key: `trigger ${target.name}.${name}`,
    kind: "trigger",
    name,
    sql: `CREATE ${constraint ? "CONSTRAINT " : ""}TRIGGER ${name} ${sql.replace("%ON%", () => `ON ${target.name}`)} EXECUTE FUNCTION ${routine.name}(${argument})`,
    later: state === undefined ? [] : [`ALTER TABLE ${target.name} ${state} TRIGGER ${name}`],
    needs: [target.key, routine.key, ...needs],
    detail: { over: target.key },
  };
};

interface TriggerForm {
  readonly sql: string;
  readonly needs: readonly string[];
  readonly constraint: boolean;
}

const viewTrigger = ({ dice }: Draw): TriggerForm => ({
  sql: `INSTEAD OF ${dice.of("INSERT", "UPDATE", "DELETE")} %ON% FOR EACH ROW`,
  needs: [],
  constraint: false,
});

function tableTrigger(draw: Draw, table: Part): TriggerForm {
  const { dice } = draw;
  const id = allColumns(draw, table).find(({ name }) => name === "id");
  if (dice.once(6))
    return {
      sql: `AFTER INSERT %ON% ${dice.of("", "DEFERRABLE INITIALLY DEFERRED")} FOR EACH ROW`,
      needs: [],
      constraint: true,
    };
  if (dice.once(5)) {
    const tables = dice.of("NEW TABLE AS added", "OLD TABLE AS gone NEW TABLE AS added");
    const event = tables.startsWith("OLD") ? "UPDATE" : dice.of("INSERT", "UPDATE");
    return {
      sql: `AFTER ${event} %ON% REFERENCING ${tables} FOR EACH STATEMENT`,
      needs: [],
      constraint: false,
    };
  }
  const of = id !== undefined && dice.once(3);
  const event = of ? "UPDATE OF id" : dice.of("INSERT", "UPDATE", "DELETE", "INSERT OR UPDATE", "TRUNCATE");
  const each = event === "TRUNCATE" ? "STATEMENT" : dice.of("ROW", "STATEMENT");
  const condition = each === "ROW" && id !== undefined && !/INSERT|DELETE/.test(event) && dice.once(2);
  const when = condition ? " WHEN (OLD.id IS DISTINCT FROM NEW.id)" : "";
  const needs = id !== undefined && (of || condition) ? [id.key] : [];
  return {
    sql: `${event === "TRUNCATE" ? "BEFORE" : dice.of("BEFORE", "AFTER")} ${event} %ON% FOR EACH ${each}${when}`,
    needs,
    constraint: false,
  };
}
