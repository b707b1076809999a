import type { Node } from "libpg-query";
import type pg from "pg";
import { maybeRow } from "../../postgres/rows.ts";
import { InvalidScriptError } from "../../postgres/sql-lexer.ts";
import { isStoredAlike } from "../../statement-facts/type-changes.ts";
import { type Origin, readScript, type Script } from "../files/script.ts";
import type { MigrationFile } from "../files/types.ts";
import { domainsMadeBy, ofMadeDomain, rewritesRows } from "./added-columns.ts";
import { type ParsedStatement, parseStatements } from "./parse.ts";
import { countRows, describeRows, type Relation, readRelations } from "./relations.ts";
import {
  askedColumns,
  type Danger,
  type LintRule,
  lintRules,
  partitionedRules,
  preparedStatements,
} from "./rules.ts";
import { relationName } from "./syntax.ts";

/** Something in a pending migration that may hurt. */
export interface Warning {
  readonly migration: string;
  readonly rule: string;
  /** `migrations/x.sql:14` */
  readonly where: string;
  readonly message: string;
}

/** A danger that the catalog has yet to confirm. */
export interface Suspicion extends Danger {
  readonly migration: string;
  readonly rule: string;
  readonly risk: LintRule["risk"];
  readonly where: string;
  /** As `LintedScript`. */
  readonly recorded?: boolean | undefined;
  readonly advice: string;
  /** The advice where the table is partitioned; undefined where it is the same. */
  readonly partitioned?: string | undefined;
  /** True where there is no danger but on a partitioned table. */
  readonly onlyPartitioned?: boolean | undefined;
}

const allowance = /^--[ \t]*lint:[ \t]*allow[ \t]+(\S+)(?:[ \t]+because[ \t]+(\S.*))?[ \t]*$/i;

/** Rules that comments before or in a statement allow for it. Only one that gives its reason counts. */
function allowedIn(script: Script, statement: ParsedStatement, from: number): Set<string> {
  const comments = script.text.slice(from, statement.end).split("\n");
  const found = comments.map((line) => line.trim().match(allowance));
  return new Set(found.filter((one) => one?.[2] !== undefined).map((one) => one?.[1] ?? ""));
}

/** The table that a statement makes, quoted as rules quote theirs. */
export function createdBy(node: Node): string | undefined {
  if ("CreateStmt" in node) return relationName(node.CreateStmt.relation);
  if ("CreateTableAsStmt" in node) return relationName(node.CreateTableAsStmt.into?.rel);
  if ("IndexStmt" in node && node.IndexStmt.idxname !== undefined)
    return relationName({ ...node.IndexStmt.relation, relname: node.IndexStmt.idxname });
  return undefined;
}

/** A script that is about to run. */
export interface LintedScript {
  readonly migration: string;
  readonly section: string;
  readonly origin: Origin;
  /** True for a script that a person cannot change any more: the down script of an applied migration. */
  readonly recorded?: boolean;
}

/** The up script of a file. */
export const upOf = ({ name, up, file, upLine }: MigrationFile): LintedScript => ({
  migration: name,
  section: up,
  origin: { label: file, firstLine: upLine },
});

/** What rules say of one script, whatever the database holds. Throws InvalidScriptError for what is no SQL. */
export async function suspect(
  { migration, section, origin, recorded }: LintedScript,
  rules: readonly LintRule[] = lintRules,
): Promise<Suspicion[]> {
  const script = readScript(section, origin);
  const statements = await parseStatements(script.text, script.statements);
  const created = new Set(statements.map(({ node }) => createdBy(node)));
  const domains = domainsMadeBy(statements);
  return statements.flatMap((statement, index) => {
    const allowed = allowedIn(script, statement, statements[index - 1]?.end ?? 0);
    const where = script.placeOf(statement.start);
    return rules
      .filter(({ id }) => !allowed.has(id))
      .flatMap(({ id, risk, find, advice, partitioned, onlyPartitioned }) =>
        find(statement.node)
          .filter(({ object }) => !created.has(object))
          .map((danger) => {
            const rule = { rule: id, risk, advice, partitioned, onlyPartitioned };
            const added = danger.added && { added: ofMadeDomain(danger.added, domains) };
            return { ...danger, ...rule, ...added, migration, where, recorded };
          }),
      );
  });
}

function unreadable({ migration, section, origin }: LintedScript, error: unknown): Warning[] {
  if (!(error instanceof InvalidScriptError)) throw error;
  const where = readScript(section, origin).placeOf(error.offset);
  return [{ migration, rule: "syntax", where, message: `${where}: ${error.message}` }];
}

/** False where the catalog shows that a statement does no harm. */
function isReal({ only, onlyPartitioned }: Suspicion, { partitioned }: Relation): boolean {
  return partitioned ? only !== true : onlyPartitioned !== true;
}

function warningOf(suspicion: Suspicion, relation: Relation, rows: string): Warning {
  const { migration, rule, where, object, part, advice, partitioned, recorded } = suspicion;
  const { size } = relation;
  const subject = `${object}${part === undefined ? "" : ` (${part})`}, ${rows}, ${size}`;
  const said = relation.partitioned ? (partitioned ?? advice) : advice;
  const silence = recorded === true ? "" : ` Meant so? -- lint: allow ${rule} because …`;
  return { migration, rule, where, message: `${where}: ${rule} on ${subject}: ${said}.${silence}` };
}

/** The rows of a table that a down script takes with it, counted where that is quick. */
async function lostRows(client: pg.Client, relation: Relation): Promise<string> {
  const rows = await countRows(client, relation.object);
  return rows === undefined ? describeRows(relation) : `${rows} row${rows === 1 ? "" : "s"}`;
}

/** Whether a column keeps its rows as they are when it gets another type. A type that the server does not know is no reason. */
export async function isWidening(
  client: pg.Client,
  { object, part, type }: Pick<Danger, "object" | "part" | "type">,
): Promise<boolean> {
  if (type === undefined) return false;
  const [field] = await client.query(`SELECT NULL::${type}`).then(
    ({ fields }) => fields,
    () => [],
  );
  if (field === undefined) return false;
  const row = await maybeRow<{ old: string; now: string }>(
    client,
    `SELECT pg_catalog.format_type(atttypid, atttypmod) AS old, pg_catalog.format_type($3, $4) AS now
       FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass($1) AND attname = $2`,
    [object, part, field.dataTypeID, field.dataTypeModifier],
  );
  return row !== undefined && isStoredAlike(row.old, row.now);
}

/** Leaves out changes of columns that PostgreSQL makes in its catalog alone. */
async function withoutHarmless(
  client: pg.Client,
  suspicions: readonly Suspicion[],
): Promise<readonly Suspicion[]> {
  const harmful: Suspicion[] = [];
  for (const one of suspicions)
    if (one.added === undefined ? !(await isWidening(client, one)) : await rewritesRows(client, one.added))
      harmful.push(one);
  return harmful;
}

/** Of warnings that hold for a table as a whole the first in each migration. */
function onceForTable(suspicions: readonly Suspicion[]): Suspicion[] {
  const firsts = new Map(suspicions.toReversed().map((one) => [`${one.migration} ${one.object}`, one]));
  return suspicions.filter((one) => firsts.get(`${one.migration} ${one.object}`) === one);
}

const ofColumns = ["drop-column", "change-column-type", "rename"];

/** Says of prepared statements together with another danger of the same columns, and by itself where there is none. */
function withPrepared(found: readonly Suspicion[], prepared: readonly Suspicion[]): Suspicion[] {
  const same = (one: Suspicion, other: Suspicion) =>
    one.migration === other.migration && one.object === other.object && ofColumns.includes(one.rule);
  const told = found.map((one) => {
    const note = prepared.find((other) => same(one, other));
    return note === undefined ? one : { ...one, advice: `${one.advice}; ${note.advice}` };
  });
  return [...told, ...prepared.filter((one) => !found.some((other) => same(other, one)))];
}

async function warningsOf(
  client: pg.Client,
  suspicions: readonly Suspicion[],
  prepared: readonly Suspicion[],
): Promise<Warning[]> {
  const harmful = withPrepared(await withoutHarmless(client, suspicions), prepared);
  const relations = await readRelations(client, [...new Set(harmful.map(({ object }) => object))]);
  const warnings: Warning[] = [];
  for (const one of harmful) {
    const relation = relations.get(one.object);
    if (relation === undefined || !isReal(one, relation)) continue;
    const isLoss = one.recorded === true && one.risk === "data";
    warnings.push(
      warningOf(one, relation, isLoss ? await lostRows(client, relation) : describeRows(relation)),
    );
  }
  return warnings;
}

/**
 * Warns of statements in scripts that lose data, or hold a lock that others wait for, on tables that exist. Modules, whose SQL only a
 * run shows, are left out by the caller.
 */
export async function lint(client: pg.Client, scripts: readonly LintedScript[]): Promise<Warning[]> {
  const faults: Warning[] = [];
  const suspicions: Suspicion[] = [];
  const prepared: Suspicion[] = [];
  for (const script of scripts)
    try {
      suspicions.push(...(await suspect(script, [...lintRules, ...partitionedRules, askedColumns])));
      prepared.push(...onceForTable(await suspect(script, [preparedStatements])));
    } catch (error) {
      faults.push(...unreadable(script, error));
    }
  if (suspicions.length + prepared.length === 0) return faults;
  return [...faults, ...(await warningsOf(client, suspicions, prepared))];
}
