import type { VerifiedRole } from "../../config/role-declaration.ts";
import { identifier, literal, qualified } from "../../postgres/sql.ts";
import type { CatalogObject } from "../catalog/objects.ts";
import type { Rule } from "../plan/desired.ts";

/** A statement that a role must be able to run, or must be refused. None of them changes anything. */
export interface Probe {
  /** What it would be to succeed, such as "read public.users". */
  readonly what: string;
  readonly sql: string;
  readonly allowed: boolean;
  /** True where an error that is not about rights, such as a missing library, says nothing of the role. */
  readonly aboutRights?: true;
}

const nameOf = ({ schema, name }: CatalogObject) => qualified(schema, name);
const plainName = ({ schema, name }: CatalogObject) => `${schema}.${name}`;
/** Ordinary and partitioned tables: those that take rows. */
const takesRows = ({ relkind }: CatalogObject) => relkind === "r" || relkind === "p";
/** Foreign tables need their server, and materialized views may hold nothing yet: their answer says nothing of rights. */
const answers = (table: CatalogObject) => takesRows(table) || table.relkind === "v";

/** One object of each schema and owner: rights differ by these two. */
function samples(objects: readonly CatalogObject[]): CatalogObject[] {
  const groups = Map.groupBy(objects, ({ schema, owner }) => JSON.stringify([schema, owner]));
  return [...groups.values()].flatMap(([first]) => first ?? []);
}

function reading(table: CatalogObject): Probe {
  return { what: `read ${plainName(table)}`, sql: `SELECT FROM ${nameOf(table)} LIMIT 0`, allowed: true };
}

/** EXPLAIN checks the rights that a statement needs, takes no row and fires no trigger. */
function writing(table: CatalogObject, wanted: readonly string[]): Probe[] {
  const name = nameOf(table);
  const [column] = Object.keys(table.columns);
  return [
    { privilege: "INSERT", what: "insert into", sql: `EXPLAIN INSERT INTO ${name} DEFAULT VALUES` },
    { privilege: "DELETE", what: "delete from", sql: `EXPLAIN DELETE FROM ${name}` },
    ...(column === undefined
      ? []
      : [
          {
            privilege: "UPDATE",
            what: "update",
            sql: `EXPLAIN UPDATE ${name} SET ${identifier(column)} = DEFAULT`,
          },
        ]),
  ].map(({ privilege, what, sql }) => ({
    what: `${what} ${plainName(table)}`,
    sql,
    allowed: wanted.includes(privilege),
  }));
}

/** Every table and column that the role may not read although it may use the schema. */
function hidden(table: CatalogObject, rule: Rule): Probe[] {
  const { whole, columns } = rule.on(table);
  if (whole.includes("SELECT")) return [];
  const visible = Object.keys(columns).filter((column) => columns[column]?.includes("SELECT"));
  if (visible.length === 0) return [{ ...reading(table), allowed: false }];
  const select = (column: string, allowed: boolean): Probe => ({
    what: `read ${plainName(table)}.${column}`,
    sql: `SELECT ${identifier(column)} FROM ${nameOf(table)} LIMIT 0`,
    allowed,
  });
  return Object.keys(table.columns).map((column) => select(column, visible.includes(column)));
}

function creating(schemas: readonly string[]): Probe[] {
  const refused = (what: string, sql: string): Probe => ({ what, sql, allowed: false });
  return [
    refused("make a schema", "CREATE SCHEMA pgstack_probe"),
    refused("make a temporary table", "CREATE TEMPORARY TABLE pgstack_probe ()"),
    ...schemas.map((schema) =>
      refused(`make a table in ${schema}`, `CREATE TABLE ${identifier(schema)}.pgstack_probe ()`),
    ),
  ];
}

function advancing(sequence: CatalogObject, allowed: boolean): Probe {
  const regclass = literal(nameOf(sequence));
  const sql = allowed
    ? `SELECT 1 / has_sequence_privilege(${regclass}, 'USAGE')::int` // asks only: a number taken is gone
    : `SELECT nextval(${regclass})`;
  return { what: `advance ${plainName(sequence)}`, sql, allowed };
}

/**
 * What a role must be able to do and must not, from its rule and what is in the database. Of a member of other roles
 * only the former: what these roles may do, it may.
 */
export function probesFor(
  { role, memberOf }: VerifiedRole,
  objects: readonly CatalogObject[],
  rule: Rule,
): Probe[] {
  const others = objects.filter(({ owner }) => owner !== role);
  const tables = others.filter(({ kind }) => kind === "table");
  const usable = new Set(
    others
      .filter((one) => one.kind === "schema" && rule.on(one).whole.includes("USAGE"))
      .map(({ name }) => name),
  );
  const readable = tables
    .filter((table) => answers(table) && rule.on(table).whole.includes("SELECT"))
    .sort((a, b) => Number(takesRows(b)) - Number(takesRows(a)));
  const sequences = samples(others.filter(({ kind, schema }) => kind === "sequence" && usable.has(schema)));
  const probes = [
    ...samples(readable).map(reading),
    ...samples(readable.filter(takesRows)).flatMap((table) => writing(table, rule.on(table).whole)),
    ...tables.filter(({ schema }) => usable.has(schema)).flatMap((table) => hidden(table, rule)),
    ...sequences.map((sequence) => advancing(sequence, rule.on(sequence).whole.includes("USAGE"))),
    ...creating([...usable]),
  ];
  return memberOf.length === 0 ? probes : probes.filter(({ allowed }) => allowed);
}
