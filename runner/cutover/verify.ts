import type pg from "pg";
import type { ConnectionSettings } from "../connection.ts";
import { type CopyTable, isBehind, listSequences, listTables } from "./catalog.ts";
import { compareSchemas } from "./compare-schema.ts";
import { withAdmin } from "./session.ts";
import { pinnedOutput } from "./snapshot.ts";
import { distribute, secondsSince, withMany } from "./work.ts";

/** Both sides of a comparison. */
export interface VerifyOptions {
  readonly source: ConnectionSettings;
  readonly target: ConnectionSettings;
  readonly jobs: number;
  readonly owners: { readonly source: string; readonly target: string };
  readonly declaredRoles: readonly string[];
  /** A snapshot of the source, where it is in use. */
  readonly snapshot?: string | undefined;
}

/** What the comparison found. */
export interface VerifyReport {
  readonly tables: number;
  readonly rows: number;
  readonly sequences: number;
  /** One line for each difference; none means that both sides are the same. */
  readonly differences: readonly string[];
  readonly seconds: number;
}

/** A session's search path must not decide how a name in a column (regclass, …) is printed. */
const pins = `${pinnedOutput}; SET search_path = ''; SET row_security = off; SET client_encoding = 'UTF8'`;

interface Sum {
  readonly rows: string;
  readonly sum: string;
}

/** Types whose equal values are also the same text, so that the hash of the value stands for it. */
const exactTypes = `('int2','int4','int8','bool','text','varchar','bytea','uuid','date','timestamp','timestamptz','oid','"char"')`;

/**
 * An expression that tells a row from every other: columns of exact types by their value, which is several
 * times quicker than text, all others by their text.
 */
async function rowExpression(client: pg.Client, table: CopyTable): Promise<string> {
  const { rows } = await client.query(
    `SELECT quote_ident(attname) AS column, t.typname IN ${exactTypes} AND t.typnamespace = 'pg_catalog'::regnamespace
        AND (attcollation = 0 OR (SELECT collisdeterministic FROM pg_collation WHERE oid = attcollation)) AS exact
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [table.name],
  );
  return rows.map(({ column, exact }) => (exact ? column : `${column}::text`)).join(", ");
}

/** hash_record_extended came with PostgreSQL 14; the sum over all rows does not depend on their order. */
function checksum(table: CopyTable, expression: string, byValue: boolean): string {
  const row = `ROW(${expression})`;
  const hash = byValue ? `hash_record_extended(${row}, 0)` : `hashtextextended(${row}::text COLLATE "C", 0)`;
  return `SELECT count(*)::text AS rows, coalesce(sum(${hash}), 0)::text AS sum FROM ONLY ${table.name} ${table.where}`;
}

async function sumOf(client: pg.Client, statement: string): Promise<Sum | string> {
  return client.query(statement).then(
    ({ rows }) => rows[0] as Sum,
    (error) => {
      if (["42P01", "42703", "3F000"].includes(error.code)) return error.message as string;
      throw error;
    },
  );
}

/** The source and the target, each in one session. */
type Pair = readonly [pg.Client, pg.Client];

async function compareTable(
  table: CopyTable,
  [source, target]: Pair,
  byValue: boolean,
): Promise<{ rows: number; fault?: string }> {
  const statement = checksum(table, await rowExpression(source, table), byValue);
  const [there, here] = await Promise.all([sumOf(source, statement), sumOf(target, statement)]);
  if (typeof there === "string") return { rows: 0, fault: `table ${table.name}: ${there} on the source` };
  const rows = Number(there.rows);
  if (typeof here === "string") return { rows, fault: `table ${table.name}: ${here} on the target` };
  if (there.rows !== here.rows)
    return {
      rows,
      fault: `table ${table.name}: ${there.rows} rows on the source, ${here.rows} on the target`,
    };
  if (there.sum === here.sum) return { rows };
  return { rows, fault: `table ${table.name}: ${there.rows} rows on both sides, but their contents differ` };
}

async function compareTables(
  pairs: readonly Pair[],
): Promise<{ tables: number; rows: number; differences: string[] }> {
  const [first] = pairs as readonly [Pair];
  const tables = await listTables(first[0]);
  const names = new Set(tables.map(({ name }) => name));
  const extra = (await listTables(first[1])).filter(({ name }) => !names.has(name));
  const differences = extra.map(({ name }) => `table ${name}: only on the target`);
  const versions = await Promise.all(first.map((client) => client.query("SHOW server_version_num")));
  const byValue = versions.every(({ rows }) => Number(rows[0].server_version_num) >= 140_000);
  let rows = 0;
  await distribute(tables, pairs, async (table, pair) => {
    const result = await compareTable(table, pair, byValue);
    rows += result.rows;
    if (result.fault !== undefined) differences.push(result.fault);
  });
  return { tables: tables.length, rows, differences: differences.sort() };
}

/** The next number on the target must not be one that the source gave. */
async function compareSequences(
  [source, target]: Pair,
  live: boolean,
): Promise<{ count: number; differences: string[] }> {
  const here = new Map((await listSequences(target)).map((sequence) => [sequence.name, sequence]));
  const sequences = await listSequences(source);
  const differences = sequences.flatMap((sequence) => {
    const { name } = sequence;
    const other = here.get(name);
    if (other === undefined) return [`sequence ${name}: missing on the target`];
    if (live || !isBehind(other, sequence)) return [];
    return [`sequence ${name}: at ${sequence.last} on the source, behind it at ${other.last} on the target`];
  });
  return { count: sequences.length, differences };
}

async function compareLargeObjects([source, target]: Pair): Promise<string[]> {
  const statement = `
    SELECT (SELECT count(*) FROM pg_largeobject_metadata)::text AS rows,
      coalesce(sum(hash_record_extended(ROW(loid, pageno, data), 0)), 0)::text AS sum FROM pg_largeobject`;
  const [there, here] = await Promise.all([sumOf(source, statement), sumOf(target, statement)]);
  return JSON.stringify(there) === JSON.stringify(here)
    ? []
    : ["large objects: their number or contents differ"];
}

/**
 * Compares everything that a copy brings: rows of each table by count and an order-free checksum, sequences,
 * large objects, definitions, owners and grants, as a role that sees all rows and under settings that the
 * databases cannot bend. A source in use is compared as of `snapshot`, without its sequences' positions.
 */
export async function verifyDatabases(options: VerifyOptions): Promise<VerifyReport> {
  const start = performance.now();
  const { snapshot } = options;
  const begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
  const lend = <T>(use: (pair: Pair) => Promise<T>) =>
    withAdmin(options.source, (source) =>
      withAdmin(options.target, async (target) => {
        await source.query(
          `${pins}; ${begin}${snapshot === undefined ? "" : `; SET TRANSACTION SNAPSHOT '${snapshot}'`}`,
        );
        await target.query(`${pins}; ${begin}`);
        return use([source, target]);
      }),
    );
  return withMany<Pair, VerifyReport>(options.jobs, lend, async (pairs) => {
    const [pair] = pairs as readonly [Pair];
    const schema = await compareSchemas(pair[0], pair[1], options);
    const { tables, rows, differences } = await compareTables(pairs);
    const sequences = await compareSequences(pair, snapshot !== undefined);
    const objects = await compareLargeObjects(pair);
    return {
      tables,
      rows,
      sequences: sequences.count,
      differences: [...schema, ...differences, ...sequences.differences, ...objects],
      seconds: secondsSince(start),
    };
  });
}
