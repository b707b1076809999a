// Routines, operators, sequences, extensions, publications and the other kinds that stand by themselves.
import type { Draw, Kind, Part } from "./parts.ts";
import { anyType } from "./types.ts";

function attributes({ dice }: Draw): string {
  const parts = [
    dice.of("", "IMMUTABLE", "IMMUTABLE", "STABLE"),
    dice.once(3) ? "STRICT" : "",
    dice.once(5) ? "SECURITY DEFINER" : "",
    dice.once(4) ? "PARALLEL SAFE" : "",
    dice.once(5) ? "COST 33" : "",
    dice.once(6) ? "SET search_path TO 'pg_catalog'" : "",
    dice.once(8) ? "LEAKPROOF" : "",
  ];
  return parts.filter((part) => part !== "").join(" ");
}

/** A function that defaults, indexes, views and operators may call; another definition has another body or other attributes. */
export const functionKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.newName("f");
  const gives = old?.detail?.gives ?? dice.of("integer", "text");
  const argument = dice.of("a", "a", "b");
  const more = dice.once(5) ? `, more integer DEFAULT ${dice.of("1", "2")}` : "";
  const body = gives === "integer" ? dice.of("$1 + 1", "$1 * 2") : dice.of("$1 || 'x'", "lower($1)");
  const language = dice.once(3)
    ? `LANGUAGE plpgsql ${attributes(draw)} AS $f$BEGIN RETURN ${body}; END$f$`
    : dice.once(3)
      ? `LANGUAGE sql ${attributes(draw)} RETURN ${body}`
      : `LANGUAGE sql ${attributes(draw)} AS 'SELECT ${body.replaceAll("'", "''")}'`;
  return {
    key: `function ${name}`,
    kind: "function",
    name,
    sql: `CREATE FUNCTION ${name}(${argument} ${gives}${more}) RETURNS ${gives} ${language}`,
    needs: [],
    detail: { gives, arguments: `(${gives}${more === "" ? "" : ", integer"})` },
  };
};

/** A function over tables and types: of a row type, a set, OUT arguments, or with a body that PostgreSQL parses. */
export const tableFunctionKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.newName("g");
  const make = (sql: string, needs: readonly string[]): Part => ({
    key: `table function ${name}`,
    kind: "table function",
    name,
    sql: `CREATE ${sql}`,
    needs,
  });
  const table = draw.any("table", "view");
  const typed = anyType(draw);
  if (dice.once(5))
    return make(`PROCEDURE ${name}(INOUT a ${typed.type}) LANGUAGE plpgsql AS 'BEGIN END'`, typed.needs);
  if (dice.once(4))
    return make(
      `FUNCTION ${name}(a ${typed.type}, OUT b ${typed.type}) LANGUAGE plpgsql AS 'BEGIN b := a; END'`,
      typed.needs,
    );
  if (dice.once(4))
    return make(
      `FUNCTION ${name}(VARIADIC a integer[]) RETURNS TABLE (b integer, c text) LANGUAGE sql AS $f$SELECT 1, 'x'$f$`,
      [],
    );
  if (table === undefined) return undefined;
  const needs = [table.key, ...draw.columnsOf(table).map(({ key }) => key)];
  if (dice.once(3))
    return make(
      `FUNCTION ${name}(r ${table.name}) RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'`,
      [table.key],
    );
  if (dice.once(2))
    return make(
      `FUNCTION ${name}() RETURNS SETOF ${table.name} LANGUAGE sql STABLE AS 'SELECT * FROM ${table.name.replaceAll("'", "''")}'`,
      needs,
    );
  return make(
    `FUNCTION ${name}() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM ${table.name}; END`,
    [table.key],
  );
};

/** A function that triggers may call. */
export const triggerFunctionKind: Kind = (draw, old) => {
  const name = old?.name ?? draw.newName("tf");
  const body = draw.dice.of("RETURN NULL;", "RETURN NEW;", "-- it's nothing\n  RETURN NEW;");
  const sql = `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $t$BEGIN\n  ${body}\nEND$t$`;
  return { key: `trigger function ${name}`, kind: "trigger function", name, sql, needs: [] };
};

/** An aggregate over a function of two integers. */
export const aggregateKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.newName("agg");
  const step = dice.of("int4pl", "int4larger", "int4smaller");
  const more = dice.once(3) ? ", INITCOND = '0'" : "";
  const sql = `CREATE AGGREGATE ${name}(integer) (SFUNC = ${step}, STYPE = integer${more}${dice.once(4) ? ", PARALLEL = safe" : ""})`;
  return { key: `aggregate ${name}`, kind: "aggregate", name, sql, needs: [] };
};

/** An operator. */
export const operatorKind: Kind = (draw, old) => {
  const { dice } = draw;
  const routine = dice.one(
    draw
      .all("function")
      .filter(({ detail }) => detail?.gives === "integer" && detail?.arguments === "(integer)"),
  );
  if (routine === undefined) return undefined;
  const sign = old?.detail?.sign ?? dice.of("~!", "@#@", "#!", "^@^");
  const key = `operator ${sign}`;
  if (old === undefined && draw.schema.has(key)) return undefined;
  const sql = `CREATE OPERATOR public.${sign} (FUNCTION = ${routine.name}, RIGHTARG = integer)`;
  return { key, kind: "operator", name: `public.${sign}`, sql, needs: [routine.key], detail: { sign } };
};

/** A cast of a composite type or an enum. */
export const castKind: Kind = (draw, old) => {
  const type = old === undefined ? draw.any("composite", "enum") : draw.schema.get(old.detail?.type ?? "");
  if (type === undefined) return undefined;
  const to = old?.detail?.to ?? draw.dice.of("text", "bytea");
  const key = `cast ${type.name} ${to}`;
  const how = draw.dice.of("", " AS ASSIGNMENT", " AS IMPLICIT");
  const sql = `CREATE CAST (${type.name} AS ${to}) WITH INOUT${how}`;
  return { key, kind: "cast", name: key, sql, needs: [type.key], detail: { type: type.key, to } };
};

/** A sequence. */
export const sequenceKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.newName("sq");
  const parts = [
    dice.once(3) ? ` AS ${dice.of("integer", "smallint")}` : "",
    dice.once(3) ? " INCREMENT BY 5" : "",
    dice.once(3) ? " MINVALUE 3 START WITH 9" : "",
    dice.once(4) ? " MAXVALUE 9999" : "",
    dice.once(4) ? " CACHE 7" : "",
    dice.once(4) ? " CYCLE" : "",
  ];
  const owner = dice.once(4)
    ? dice.one(
        draw.all("column").filter(({ column, needs }) => column?.type === "bigint" && needs.length === 0),
      )
    : undefined;
  const table = draw.schema.get(owner?.within ?? "");
  const owned =
    owner !== undefined && table !== undefined && table.form === "plain" && sameSchema(table.name, name);
  return {
    key: `sequence ${name}`,
    kind: "sequence",
    name,
    sql: `CREATE SEQUENCE ${name}${parts.join("")}${owned ? ` OWNED BY ${table.name}.${owner.name}` : ""}`,
    needs: owned ? [table.key, owner.key] : [],
  };
};

const sameSchema = (one: string, other: string) => one.split('".')[0] === other.split('".')[0];

/** An extension with objects of its own. */
export const extensionKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? dice.of("hstore", "pg_trgm", "citext", "btree_gist");
  if (old === undefined && draw.schema.has(`extension ${name}`)) return undefined;
  const schema = dice.of("public", "app");
  return {
    key: `extension ${name}`,
    kind: "extension",
    name,
    sql: `CREATE EXTENSION ${name} SCHEMA ${schema}`,
    needs: [],
    detail: { type: name },
  };
};

/** A text search dictionary and a configuration with it. */
export const textSearchKind: Kind = (draw, old) => {
  const { dice } = draw;
  const dictionary = old?.detail?.dictionary ?? draw.newName("dict");
  const name = old?.name ?? draw.newName("conf");
  const options = dice.once(2) ? ", STOPWORDS = english" : "";
  return {
    key: `text search ${name}`,
    kind: "text search",
    name,
    sql: `CREATE TEXT SEARCH DICTIONARY ${dictionary} (TEMPLATE = simple${options})`,
    later: [
      `CREATE TEXT SEARCH CONFIGURATION ${name} (COPY = ${dice.of("simple", "english")})`,
      `ALTER TEXT SEARCH CONFIGURATION ${name} ALTER MAPPING FOR ${dice.of("asciiword", "word, hword")} WITH ${dictionary}${dice.once(2) ? ", simple" : ""}`,
    ],
    needs: [],
    detail: { dictionary },
  };
};

/** A foreign data wrapper with a server. */
export const serverKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.plainName("srv");
  const wrapper = old?.detail?.wrapper ?? draw.plainName("fdw");
  const options = dice.once(2) ? ` OPTIONS (host '${dice.of("a", "b")}')` : "";
  const version = dice.once(4) ? " VERSION '2'" : "";
  return {
    key: `server ${name}`,
    kind: "server",
    name,
    sql: `CREATE FOREIGN DATA WRAPPER ${wrapper}${dice.once(3) ? " OPTIONS (debug 'true')" : ""}`,
    later: [`CREATE SERVER ${name}${version} FOREIGN DATA WRAPPER ${wrapper}${options}`],
    needs: [],
    detail: { wrapper },
  };
};

/** A foreign table. */
export const foreignTableKind: Kind = (draw, old) => {
  const { dice } = draw;
  const server = old === undefined ? draw.any("server") : undefined;
  if (server === undefined) return undefined;
  const name = draw.newName("ft");
  const options = dice.once(2) ? " OPTIONS (file 'x')" : "";
  const table: Part = {
    key: `table ${name}`,
    kind: "table",
    name,
    sql: `CREATE FOREIGN TABLE ${name} (%COLUMNS%) SERVER ${server.name}${options}`,
    needs: [server.key],
    form: "foreign",
  };
  const id = { name: "id", type: "integer", value: "i" };
  const column = `id integer${dice.once(2) ? " OPTIONS (n 'y')" : ""} NOT NULL`;
  return [
    table,
    {
      key: `column ${name}.id`,
      kind: "column",
      name: "id",
      sql: column,
      needs: [],
      within: table.key,
      column: id,
      detail: { fixed: "yes" },
    },
  ];
};

/** A publication of tables, perhaps with columns and a filter, of a schema's tables, or of all. */
export const publicationKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.plainName("pub");
  const tables = dice.some(
    draw.all("table").filter(({ form }) => form === "plain" || form === "partitioned"),
    3,
  );
  const members = tables.map((table) => {
    const id = draw.columnsOf(table).find((column) => column.name === "id");
    const list = id !== undefined && dice.once(4) ? " (id)" : "";
    const filter = id !== undefined && dice.once(5) ? " WHERE (id > 0)" : "";
    return {
      sql: `${table.name}${list}${filter}`,
      needs: [table.key, ...(list + filter === "" || id === undefined ? [] : [id.key])],
    };
  });
  const whole = dice.once(8) ? " FOR ALL TABLES" : dice.once(8) ? " FOR TABLES IN SCHEMA app" : "";
  const list = members.length === 0 ? "" : ` FOR TABLE ${members.map(({ sql }) => sql).join(", ")}`;
  const publish = dice.of("insert", "insert, update, delete", "insert, update, delete, truncate");
  const options = dice.once(2)
    ? ` WITH (publish = '${publish}'${dice.once(2) ? ", publish_via_partition_root = true" : ""})`
    : "";
  return {
    key: `publication ${name}`,
    kind: "publication",
    name,
    sql: `CREATE PUBLICATION ${name}${whole === "" ? list : whole}${options}`,
    needs: whole === "" ? members.flatMap(({ needs }) => needs) : [],
  };
};

/** An event trigger that does nothing. */
export const eventTriggerKind: Kind = (draw, old) => {
  const { dice } = draw;
  const name = old?.name ?? draw.plainName("et");
  const routine = old?.detail?.routine ?? draw.newName("etf");
  const tags = dice.once(2) ? ` WHEN TAG IN ('CREATE TABLE'${dice.once(2) ? ", 'DROP TABLE'" : ""})` : "";
  return {
    key: `event trigger ${name}`,
    kind: "event trigger",
    name,
    sql: `CREATE FUNCTION ${routine}() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'`,
    later: [
      `CREATE EVENT TRIGGER ${name} ON ${dice.of("ddl_command_end", "ddl_command_start")}${tags} EXECUTE FUNCTION ${routine}()`,
      ...(dice.once(4) ? [`ALTER EVENT TRIGGER ${name} ${dice.of("DISABLE", "ENABLE ALWAYS")}`] : []),
    ],
    needs: [],
    detail: { routine },
  };
};
