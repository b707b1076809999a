// What is said of other objects: comments, privileges, owners.
import { literal } from "../../../runner/postgres/sql.ts";
import type { Draw, Kind, Part } from "./parts.ts";

/** How COMMENT, GRANT and ALTER … OWNER TO name a part. */
const words: Readonly<Record<string, (part: Part) => string>> = {
  table: ({ name, form }) => `${form === "foreign" ? "FOREIGN TABLE" : "TABLE"} ${name}`,
  view: ({ name }) => `VIEW ${name}`,
  "materialized view": ({ name }) => `MATERIALIZED VIEW ${name}`,
  sequence: ({ name }) => `SEQUENCE ${name}`,
  enum: ({ name }) => `TYPE ${name}`,
  domain: ({ name }) => `DOMAIN ${name}`,
  composite: ({ name }) => `TYPE ${name}`,
  range: ({ name }) => `TYPE ${name}`,
  function: ({ name }) => `FUNCTION ${name}`,
  "trigger function": ({ name }) => `FUNCTION ${name}`,
  aggregate: ({ name }) => `AGGREGATE ${name}(integer)`,
  index: ({ name }) => `INDEX ${name}`,
  collation: ({ name }) => `COLLATION ${name}`,
  statistics: ({ name }) => `STATISTICS ${name}`,
  publication: ({ name }) => `PUBLICATION ${name}`,
  "event trigger": ({ name }) => `EVENT TRIGGER ${name}`,
  server: ({ name }) => `SERVER ${name}`,
  "text search": ({ name }) => `TEXT SEARCH CONFIGURATION ${name}`,
};

const members: Readonly<Record<string, (part: Part, table: string) => string>> = {
  column: ({ name }, table) => `COLUMN ${table}.${name}`,
  constraint: ({ name }, table) => `CONSTRAINT ${name} ON ${table}`,
  trigger: ({ name }, table) => `TRIGGER ${name} ON ${table}`,
  policy: ({ name }, table) => `POLICY ${name} ON ${table}`,
  rule: ({ name }, table) => `RULE ${name} ON ${table}`,
};

function namedBy(draw: Draw, part: Part): string | undefined {
  const table = draw.schema.get(part.within ?? part.detail?.over ?? part.detail?.table ?? "");
  return (
    words[part.kind]?.(part) ?? (table === undefined ? undefined : members[part.kind]?.(part, table.name))
  );
}

const reached = (part: Part) => [part.key, ...(part.within === undefined ? [] : [part.within])];

/** A comment on any part. */
export const commentKind: Kind = (draw, old) => {
  const target =
    old === undefined
      ? draw.any(...Object.keys(words), ...Object.keys(members))
      : draw.schema.get(old.detail?.of ?? "");
  const name = target === undefined ? undefined : namedBy(draw, target);
  if (target === undefined || name === undefined) return undefined;
  const text = draw.dice.of("it's said", "two\nlines; -- and no comment", 'a "word"', "$1 \\n");
  return {
    key: `comment ${name}`,
    kind: "comment",
    name,
    sql: `COMMENT ON ${name} IS ${literal(text)}`,
    needs: reached(target),
    detail: { of: target.key },
  };
};

const privileges: Readonly<Record<string, readonly [string, string, ...string[]]>> = {
  table: ["SELECT", "INSERT", "UPDATE, DELETE", "TRUNCATE", "REFERENCES", "ALL"],
  view: ["SELECT", "INSERT"],
  "materialized view": ["SELECT", "SELECT"],
  sequence: ["USAGE", "SELECT", "UPDATE"],
  enum: ["USAGE", "USAGE"],
  domain: ["USAGE", "USAGE"],
  composite: ["USAGE", "USAGE"],
  function: ["EXECUTE", "EXECUTE"],
  "trigger function": ["EXECUTE", "EXECUTE"],
  server: ["USAGE", "USAGE"],
};

/** How GRANT names a part. */
function granted(draw: Draw, part: Part): string | undefined {
  if (part.kind === "table" || part.kind === "view" || part.kind === "materialized view")
    return `TABLE ${part.name}`;
  if (part.kind === "enum" || part.kind === "composite") return `TYPE ${part.name}`;
  return part.kind === "server" ? `FOREIGN SERVER ${part.name}` : namedBy(draw, part);
}

/** Privileges of a role on an object or a column, or one that PUBLIC lacks. */
export const grantKind: Kind = (draw, old) => {
  const { dice } = draw;
  const column = old === undefined && dice.once(3) ? draw.any("column") : undefined;
  if (column !== undefined) return columnGrant(draw, column);
  const target =
    old === undefined ? draw.any(...Object.keys(privileges)) : draw.schema.get(old.detail?.of ?? "");
  if (target === undefined || target.kind === "column") return undefined;
  const role = old?.detail?.role ?? dice.of("gen_r1", "gen_r2", "PUBLIC");
  const name = granted(draw, target);
  const revoked = role === "PUBLIC" && /^(function|enum|domain|composite)$/.test(target.kind);
  const privilege = dice.of(...(privileges[target.kind] ?? (["ALL", "ALL"] as const)));
  const option = dice.once(6) && role !== "PUBLIC" ? " WITH GRANT OPTION" : "";
  const sql = revoked
    ? `REVOKE ALL ON ${name} FROM PUBLIC`
    : `GRANT ${privilege} ON ${name} TO ${role}${option}`;
  return {
    key: `grant ${name} ${role}`,
    kind: "grant",
    name: `${name}`,
    sql,
    needs: reached(target),
    detail: { of: target.key, role },
  };
};

function columnGrant(draw: Draw, column: Part): Part | undefined {
  const { dice } = draw;
  const table = draw.schema.get(column.within ?? "");
  if (table === undefined) return undefined;
  const role = dice.of("gen_r1", "gen_r2");
  const sql = `GRANT ${dice.of("SELECT", "UPDATE", "INSERT", "REFERENCES")} (${column.name}) ON ${table.name} TO ${role}`;
  const key = `column grant ${table.name}.${column.name} ${role}`;
  return {
    key,
    kind: "column grant",
    name: column.name,
    sql,
    needs: reached(column),
    detail: { of: column.key },
  };
}

/** An owner other than the role that made the object; the same on both sides, since no revision changes owners. */
export const ownerKind: Kind = (draw, old) => {
  if (old !== undefined) return undefined;
  const target = draw.any(
    "table",
    "view",
    "materialized view",
    "enum",
    "domain",
    "composite",
    "function",
    "sequence",
    "statistics",
    "collation",
    "text search",
  );
  const name = target === undefined ? undefined : namedBy(draw, target);
  if (target === undefined || name === undefined) return undefined;
  const sql = `ALTER ${name} OWNER TO gen_owner`;
  return {
    key: `owner ${name}`,
    kind: "owner",
    name,
    sql,
    needs: reached(target),
    detail: { of: target.key },
  };
};
