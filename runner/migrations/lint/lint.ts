import type { Node } from "libpg-query";
import type pg from "pg";
import { InvalidScriptError } from "../files/lexer.ts";
import { readScript, type Script } from "../files/script.ts";
import type { MigrationFile } from "../files/types.ts";
import { type ParsedStatement, parseStatements } from "./parse.ts";
import { lintRules, relationName } from "./rules.ts";

/** Something in a pending migration that may hurt. */
export interface Warning {
  readonly migration: string;
  readonly rule: string;
  /** `migrations/x.sql:14` */
  readonly where: string;
  readonly message: string;
}

/** A danger that the catalog has yet to confirm. */
export interface Suspicion {
  readonly migration: string;
  readonly rule: string;
  readonly where: string;
  readonly object: string;
  readonly part: string | undefined;
  readonly advice: string;
}

const allowance = /^--[ \t]*lint:[ \t]*allow[ \t]+(\S+)(?:[ \t]+because[ \t]+(\S.*))?[ \t]*$/i;

/** Rules that comments before or in a statement allow for it. Only one that gives its reason counts. */
function allowedIn(script: Script, statement: ParsedStatement, from: number): Set<string> {
  const comments = script.text.slice(from, statement.end).split("\n");
  const found = comments.map((line) => line.trim().match(allowance));
  return new Set(found.filter((one) => one?.[2] !== undefined).map((one) => one?.[1] ?? ""));
}

/** The table that a statement makes, quoted as rules quote theirs. */
function createdBy(node: Node): string | undefined {
  if ("CreateStmt" in node) return relationName(node.CreateStmt.relation);
  if ("CreateTableAsStmt" in node) return relationName(node.CreateTableAsStmt.into?.rel);
  if ("IndexStmt" in node && node.IndexStmt.idxname !== undefined)
    return relationName({ ...node.IndexStmt.relation, relname: node.IndexStmt.idxname });
  return undefined;
}

/** What the rules say of one up script, whatever the database holds. Throws InvalidScriptError for what is no SQL. */
export async function suspect(file: MigrationFile): Promise<Suspicion[]> {
  const script = readScript(file.up, { label: file.file, firstLine: file.upLine });
  const statements = await parseStatements(script.text, script.statements);
  const created = new Set(statements.map(({ node }) => createdBy(node)));
  return statements.flatMap((statement, index) => {
    const allowed = allowedIn(script, statement, statements[index - 1]?.end ?? 0);
    return lintRules
      .filter(({ id }) => !allowed.has(id))
      .flatMap(({ id, advice, find }) =>
        find(statement.node)
          .filter(({ object }) => !created.has(object))
          .map(({ object, part }) => ({
            migration: file.name,
            rule: id,
            where: script.placeOf(statement.start),
            object,
            part,
            advice,
          })),
      );
  });
}

function unreadable(file: MigrationFile, error: unknown): Warning[] {
  if (!(error instanceof InvalidScriptError)) throw error;
  const where = readScript(file.up, { label: file.file, firstLine: file.upLine }).placeOf(error.offset);
  return [{ migration: file.name, rule: "syntax", where, message: `${where}: ${error.message}` }];
}

interface Size {
  readonly object: string;
  readonly rows: string;
  readonly size: string;
}

async function sizesOf(client: pg.Client, objects: readonly string[]): Promise<Map<string, Size>> {
  const { rows } = await client.query<Size>(
    `SELECT o.object, pg_catalog.pg_size_pretty(pg_catalog.pg_total_relation_size(c.oid)) AS size,
            CASE WHEN c.reltuples < 0 THEN 'rows not counted yet' ELSE 'about ' || c.reltuples::bigint || ' rows' END AS rows
       FROM pg_catalog.unnest($1::text[]) AS o (object) JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(o.object)`,
    [objects],
  );
  return new Map(rows.map((row) => [row.object, row]));
}

function warningOf(
  { migration, rule, where, object, part, advice }: Suspicion,
  { rows, size }: Size,
): Warning {
  const subject = `${object}${part === undefined ? "" : ` (${part})`}, ${rows}, ${size}`;
  const silence = `-- lint: allow ${rule} because …`;
  return {
    migration,
    rule,
    where,
    message: `${where}: ${rule} on ${subject}: ${advice}. Meant so? ${silence}`,
  };
}

/**
 * Warns of statements in pending migrations that lose data, or hold a lock that others wait for, on tables that exist.
 * Modules, whose SQL only a run shows, are left out.
 */
export async function lint(client: pg.Client, pending: readonly MigrationFile[]): Promise<Warning[]> {
  const faults: Warning[] = [];
  const suspicions: Suspicion[] = [];
  for (const file of pending) {
    if (file.language !== "sql") continue;
    const found = await suspect(file).catch((error: unknown) => {
      faults.push(...unreadable(file, error));
      return [];
    });
    suspicions.push(...found);
  }
  if (suspicions.length === 0) return faults;
  const sizes = await sizesOf(client, [...new Set(suspicions.map(({ object }) => object))]);
  const real = suspicions.flatMap((one) => {
    const size = sizes.get(one.object);
    return size === undefined ? [] : [warningOf(one, size)];
  });
  return [...faults, ...real];
}
