import type pg from "pg";
import { maybeRow, rowsOf } from "../postgres/rows.ts";
import { isNotOfExtension, isNotSystemSchema } from "../postgres/sql.ts";
import { RefusedError } from "../util/errors.ts";

/** A pattern as regular expressions of PostgreSQL's; `schema` is undefined where the pattern names none. */
export interface PatternExpressions {
  readonly schema: string | undefined;
  readonly name: string;
}

const special = /[|*+?()[\]{}.^$\\]/g;
const anchored = (text: string) => `^(${text})$`;

/**
 * Reads a pattern as pg_dump and psql do: unquoted letters are lower case, `*` is any text, `?` any character, what is in double
 * quotes stands for itself, a dot parts schema and name, and all else is a regular expression. Pure.
 * https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-PATTERNS
 */
export function readPattern(pattern: string): PatternExpressions {
  const parts = [""];
  const add = (text: string) => parts.push((parts.pop() ?? "") + text);
  for (const [token] of pattern.matchAll(/"(?:[^"]|"")*"?|[^"]/gs))
    if (token.startsWith('"'))
      add(token.slice(1).replace(/"$/, "").replaceAll('""', '"').replace(special, "\\$&"));
    else if (token === ".") parts.push("");
    else if (token === "*") add(".*");
    else if (token === "?") add(".");
    else add(token === "$" ? "\\$" : token.toLowerCase());
  const [name = "", schema] = parts.reverse(); // a name before them is the database's
  return { name: anchored(name), schema: schema === undefined ? undefined : anchored(schema) };
}

/** What a pattern is for. */
interface PatternUse {
  readonly flag: "--table" | "--exclude-table-data";
  /** Kinds of relations that it can mean, as in pg_class.relkind. */
  readonly kinds: string;
}

const including: PatternUse = { flag: "--table", kinds: "rpvmfS" };
const excluding: PatternUse = { flag: "--exclude-table-data", kinds: "rpmf" };

/** A relation's name, as SQL and as a pattern write it with all quotes. */
interface Found {
  readonly schema: string;
  readonly name: string;
}

const quoted = ({ schema, name }: Found) =>
  [schema, name].map((part) => `"${part.replaceAll('"', '""')}"`).join(".");

/** Without it, `p*` would mean PostgreSQL's own tables as well. */
const isOrdinary = isNotSystemSchema("n.nspname");

/** Relations that fit, and whatever inherits from them, partitions included. */
const matchQuery = `
  WITH RECURSIVE found AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind::text = ANY (string_to_array($1, NULL)) AND c.relname ~ $2 AND ${isOrdinary}
      AND CASE WHEN $3::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname ~ $3 END
    UNION
    SELECT inhrelid FROM pg_inherits JOIN found ON inhparent = found.oid JOIN pg_class c ON c.oid = inhrelid AND c.relkind IN ('r', 'p', 'f'))
  SELECT n.nspname AS schema, c.relname AS name
  FROM found JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2`;

/** Tables that differ from the pattern by capitals or schema only. */
const similarQuery = `
  SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind::text = ANY (string_to_array($1, NULL)) AND c.relname ~* $2 AND ($3::text IS NULL OR n.nspname ~* $3)
    AND ${isOrdinary}
  ORDER BY 1 LIMIT 5`;

async function matching(client: pg.Client, pattern: string, { flag, kinds }: PatternUse): Promise<Found[]> {
  const { schema, name } = readPattern(pattern);
  const values = [kinds, name, schema ?? null];
  const found = await rowsOf<Found>(client, matchQuery, values).catch((error: Error) => {
    throw new RefusedError(`The pattern ${pattern} of ${flag} cannot be read: ${error.message}`, {
      cause: error,
    });
  });
  if (found.length > 0) return found;
  const similar = await rowsOf<{ name: string }>(client, similarQuery, values);
  const names = similar.map((one) => `'${one.name}'`).join(", ");
  throw new RefusedError(
    `The pattern ${pattern} of ${flag} matches no table, and nothing was written. Names without quotes are lower case, and names ` +
      `without a schema are looked for in the search path: ${names === "" ? `quote it, as in '"Schema"."Table"'` : `quote it, as in ${names}`}.`,
  );
}

async function resolve(client: pg.Client, patterns: readonly string[], use: PatternUse): Promise<string[]> {
  const found: string[] = [];
  for (const pattern of patterns) found.push(...(await matching(client, pattern, use)).map(quoted));
  return [...new Set(found)];
}

/** Which tables a dump holds, and of which it leaves the rows out. */
export interface TableChoice {
  readonly tables: readonly string[];
  readonly excludeTableData: readonly string[];
}

/**
 * Asks the server what patterns mean, and gives the quoted names of all relations that fit, children of a parent included. Throws
 * RefusedError for a pattern that matches nothing: pg_dump would let it pass, and write the rows that it was to leave out.
 */
export async function resolvePatterns(client: pg.Client, choice: TableChoice): Promise<TableChoice> {
  return {
    tables: await resolve(client, choice.tables, including),
    excludeTableData: await resolve(client, choice.excludeTableData, excluding),
  };
}

/**
 * What the chosen relations need and a dump of them lacks, by pg_depend: types, functions, sequences, tables that keys refer to, and
 * what these need in turn. pg_dump takes along what belongs to a table: its indexes, keys, triggers and own sequences.
 * https://www.postgresql.org/docs/current/catalog-pg-depend.html
 */
const missingQuery = `
  WITH RECURSIVE chosen AS (SELECT unnest($1::regclass[])::oid AS oid),
  owned AS (
    SELECT oid FROM chosen
    UNION SELECT objid FROM pg_depend d JOIN chosen ON refobjid = chosen.oid
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        AND (SELECT relkind FROM pg_class WHERE oid = objid) IN ('S', 'i', 'I', 'c', 't')),
  parts (classid, objid) AS (
    SELECT 'pg_class'::regclass::oid, oid FROM owned
    UNION SELECT 'pg_attrdef'::regclass, a.oid FROM pg_attrdef a JOIN owned ON adrelid = owned.oid
    UNION SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k JOIN owned ON conrelid = owned.oid
    UNION SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN owned ON tgrelid = owned.oid WHERE NOT tgisinternal
    UNION SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r JOIN owned ON ev_class = owned.oid
    UNION SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN owned ON polrelid = owned.oid),
  needed (classid, objid) AS (
    SELECT d.refclassid, d.refobjid FROM pg_depend d JOIN parts USING (classid, objid) WHERE d.deptype IN ('n', 'a', 'i', 'P')
    UNION
    SELECT step.classid, step.objid FROM needed, LATERAL (
      SELECT 'pg_type'::regclass::oid AS classid, typelem AS objid FROM pg_type
        WHERE needed.classid = 'pg_type'::regclass AND oid = needed.objid AND typcategory = 'A'
      UNION ALL SELECT 'pg_class'::regclass, typrelid FROM pg_type
        WHERE needed.classid = 'pg_type'::regclass AND oid = needed.objid AND typrelid <> 0
      UNION ALL SELECT d.refclassid, d.refobjid FROM pg_depend d
        WHERE d.classid = needed.classid AND d.objid = needed.objid AND d.deptype = 'n'
          AND needed.classid IN ('pg_type'::regclass, 'pg_proc'::regclass)) step)
  SELECT DISTINCT pg_describe_object(classid, objid, 0) AS name
  FROM needed
  WHERE objid >= 16384 AND NOT (classid = 'pg_class'::regclass AND objid IN (SELECT oid FROM owned))
    AND NOT (classid = 'pg_class'::regclass AND (SELECT relkind FROM pg_class WHERE oid = objid) IN ('c', 'i', 'I', 't'))
    AND NOT (classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE t.oid = objid AND (t.typcategory = 'A' OR c.relkind <> 'c')))
    AND classid NOT IN ('pg_namespace'::regclass, 'pg_constraint'::regclass, 'pg_authid'::regclass, 'pg_extension'::regclass)
    AND (classid, objid) NOT IN (SELECT classid, objid FROM parts)
    AND ${isNotOfExtension("needed.classid", "needed.objid")}
  ORDER BY 1`;

/** Names what these relations (quoted names) need and a dump of them alone does not hold, such as `type public.mood`. */
export async function missingFor(client: pg.Client, tables: readonly string[]): Promise<string[]> {
  if (tables.length === 0) return [];
  const path = await maybeRow<{ path: string }>(
    client,
    "SELECT pg_catalog.current_setting('search_path') AS path",
  );
  await client.query("SELECT pg_catalog.set_config('search_path', '', false)"); // so that every name has its schema
  try {
    const rows = await rowsOf<{ name: string }>(client, missingQuery, [tables]);
    return rows.map(({ name }) => name);
  } finally {
    await client.query("SELECT pg_catalog.set_config('search_path', $1, false)", [path?.path]);
  }
}
