import type pg from "pg";
import { oneRow } from "../../postgres/rows.ts";
import { callsIn, volatileFunctions } from "../../statement-facts/volatile-functions.ts";
import type { ParsedStatement } from "./parse.ts";
import { type Fields, listName, typeText } from "./syntax.ts";

/** What the server has to be asked of a new column, to tell whether it makes PostgreSQL write every row. */
export interface AddedColumn {
  /** The quoted name of its type, undefined for one that no name says. */
  readonly type: string | undefined;
  /** True where it has a default of its own, which counts in place of its domain's. */
  readonly hasDefault: boolean;
  /** The quoted names of the functions in its default that are not known to be volatile. */
  readonly calls: readonly string[];
  /** True where the script itself makes its type, a domain with constraints. */
  readonly madeDomain?: true;
}

/** The quoted names of domains with constraints that statements make, which the server does not have yet. */
export function domainsMadeBy(statements: readonly ParsedStatement[]): ReadonlySet<string> {
  const made = statements.map(({ node }) => ("CreateDomainStmt" in node ? node.CreateDomainStmt : undefined));
  const refuses = ({ Constraint }: Fields) =>
    ["CONSTR_CHECK", "CONSTR_NOTNULL"].includes(Constraint?.contype);
  const checked = made.filter((domain) => domain?.constraints?.some(refuses) === true);
  return new Set(checked.map((domain) => listName({ List: { items: domain?.domainname } })));
}

const lastPart = (name: string) => name.replace(/^.*"\."/, '"');

/** A new column, of which is said that its type is one of the domains that the same script makes. */
export function ofMadeDomain(added: AddedColumn, domains: ReadonlySet<string>): AddedColumn {
  const { type } = added;
  const made = type !== undefined && [...domains].some((name) => lastPart(name) === lastPart(type));
  return made ? { ...added, madeDomain: true } : added;
}

/** The constraint of a kind beside a new column, such as its default. */
export function constraintOf(command: Fields, type: string): Fields {
  const all = command.def?.ColumnDef?.constraints ?? [];
  return all.map((one: Fields) => one.Constraint).find((one: Fields) => one?.contype === type);
}

/** All calls of functions below a node of the parse tree, as lists of the parts of their names. */
function callsBelow(node: Fields): string[][] {
  if (typeof node !== "object" || node === null) return [];
  const own = node.FuncCall?.funcname?.map((part: Fields) => part.String?.sval ?? "");
  return [...(own === undefined ? [] : [own]), ...Object.values(node).flatMap(callsBelow)];
}

const isVolatile = (name: readonly string[]) =>
  (name.length === 1 || name[0] === "pg_catalog") && volatileFunctions.has(name.at(-1) ?? "");

/** True where the parse tree alone shows that a value is computed for each row. */
export function rewrites(command: Fields): boolean {
  if (["CONSTR_GENERATED", "CONSTR_IDENTITY"].some((type) => constraintOf(command, type) !== undefined))
    return true;
  if (/"(big|small)?serial[248]?"/.test(JSON.stringify(command.def?.ColumnDef?.typeName ?? {}))) return true;
  return callsBelow(constraintOf(command, "CONSTR_DEFAULT")?.raw_expr).some(isVolatile);
}

/** What the server is asked of a command that adds a column. */
export function addedColumn(command: Fields): AddedColumn {
  const value = constraintOf(command, "CONSTR_DEFAULT")?.raw_expr;
  const calls = callsBelow(value).map((name) => name.map((sval) => ({ String: { sval } })));
  return {
    type: typeText(command.def?.ColumnDef?.typeName ?? {}),
    hasDefault: value !== undefined,
    calls: calls.map((items) => listName({ List: { items } })),
  };
}

/** `parse_ident` reads quoted names. A built-in function that is not in the table of volatile ones is none. */
const unsteady = `EXISTS (SELECT FROM pg_catalog.unnest($1::text[]) AS f (name), pg_catalog.parse_ident(f.name) AS i (parts)
  WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE p.proname = i.parts[pg_catalog.cardinality(i.parts)] AND (p.provolatile <> 'v' OR n.nspname = 'pg_catalog')
    AND CASE WHEN pg_catalog.cardinality(i.parts) = 1 THEN pg_catalog.pg_function_is_visible(p.oid) ELSE n.nspname = i.parts[1] END))`;

/** A domain and the domains that it is made of. */
const domains = `WITH RECURSIVE domain AS (
  SELECT oid, typbasetype, typnotnull, typdefault FROM pg_catalog.pg_type
   WHERE oid = pg_catalog.to_regtype($2) AND typtype = 'd'
  UNION ALL SELECT t.oid, t.typbasetype, t.typnotnull, t.typdefault FROM pg_catalog.pg_type t
    JOIN domain d ON t.oid = d.typbasetype WHERE t.typtype = 'd')`;

/**
 * Whether PostgreSQL writes every row for a new column: its type is a domain with a constraint, whatever the default is; or its
 * default calls a volatile function. A function that the server does not have yet counts as volatile.
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
 */
export async function rewritesRows(
  client: pg.Client,
  { type, hasDefault, calls, madeDomain }: AddedColumn,
): Promise<boolean> {
  if (madeDomain) return true;
  const found = await oneRow<{ unsteady: boolean; checked: boolean; value: string | null }>(
    client,
    `${domains} SELECT ${unsteady} AS unsteady,
      EXISTS (SELECT FROM domain d WHERE typnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE contypid = d.oid)) AS checked,
      (SELECT typdefault FROM domain WHERE typdefault IS NOT NULL LIMIT 1) AS value`,
    [calls, type],
  );
  const ofDomain = hasDefault ? [] : callsIn(found.value ?? "");
  return found.unsteady || found.checked || ofDomain.some((name) => volatileFunctions.has(name));
}
