import type { Node } from "libpg-query";
import type pg from "pg";
import type { Origin, Script } from "../migrations/files/script.ts";
import { readScript } from "../migrations/files/script.ts";
import { domainsMadeBy, ofMadeDomain, rewritesRows } from "../migrations/lint/added-columns.ts";
import { isWidening } from "../migrations/lint/lint.ts";
import { type ParsedStatement, parseStatements } from "../migrations/lint/parse.ts";
import { countRows, type Relation, readRelations } from "../migrations/lint/relations.ts";
import { type FormUse, formsOf } from "../migrations/lint/statement-forms.ts";
import type { Fields } from "../migrations/lint/syntax.ts";
import { rowsOf } from "../postgres/rows.ts";
import { identifier, qualified } from "../postgres/sql.ts";
import { InvalidScriptError } from "../postgres/sql-lexer.ts";
import { describeBlocking, factOf, type StatementForm } from "../statement-facts/facts.ts";
import type { Loss, PlannedStatement, SizedTable, StatementEffect } from "./model.ts";
import type { TableToCome } from "./roles.ts";

/** A script that is about to run, and where it comes from. */
export interface PlannedScript {
  readonly section: string;
  readonly origin: Origin;
}

/** A script's statements before the catalog was asked. */
interface ReadStatement {
  readonly script: Script;
  readonly statement: ParsedStatement;
  readonly uses: readonly FormUse[];
}

/** What is no SQL has no statements; the warnings say so. */
async function statementsOf({ section, origin }: PlannedScript): Promise<ReadStatement[]> {
  const script = readScript(section, origin);
  const parsed = await parseStatements(script.text, script.statements).catch((error: unknown) => {
    if (error instanceof InvalidScriptError) return [];
    throw error;
  });
  const domains = domainsMadeBy(parsed);
  return parsed.map((statement) => ({
    script,
    statement,
    uses: formsOf(statement.node).map((use) =>
      use.added === undefined ? use : { ...use, added: ofMadeDomain(use.added, domains) },
    ),
  }));
}

/** The quoted names of the tables of indexes, by the index's name as it was given. */
async function tablesOfIndexes(
  client: pg.Client,
  indexes: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (indexes.length === 0) return new Map();
  const rows = await rowsOf<{ object: string; schema: string; name: string }>(
    client,
    `SELECT o.object, n.nspname AS schema, t.relname AS name FROM pg_catalog.unnest($1::text[]) AS o (object)
       JOIN pg_catalog.pg_index i ON i.indexrelid = pg_catalog.to_regclass(o.object)
       JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace`,
    [indexes],
  );
  return new Map(rows.map(({ object, schema, name }) => [object, [qualified(schema, name)]]));
}

/** The quoted names of the tables in schemas that have rows of their own, by the schema's quoted name. */
async function tablesInSchemas(
  client: pg.Client,
  schemas: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (schemas.length === 0) return new Map();
  const rows = await rowsOf<{ schema: string; name: string }>(
    client,
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE pg_catalog.quote_ident(n.nspname) = ANY ($1) OR '"' || n.nspname || '"' = ANY ($1)
      AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 2`,
    [schemas],
  );
  const groups = Map.groupBy(rows, ({ schema }) => identifier(schema));
  return new Map(
    [...groups].map(([schema, tables]) => [schema, tables.map((one) => qualified(one.schema, one.name))]),
  );
}

/** Constraints of a table that are foreign keys: VALIDATE CONSTRAINT does not say which kind it is. */
async function isForeignKey(client: pg.Client, { object, part }: FormUse): Promise<boolean> {
  const rows = await rowsOf(
    client,
    `SELECT FROM pg_catalog.pg_constraint WHERE conrelid = pg_catalog.to_regclass($1) AND conname = $2 AND contype = 'f'`,
    [object, part],
  );
  return rows.length > 0;
}

/** The form of a statement once the catalog has said what the parse tree cannot. */
async function settledForm(client: pg.Client, use: FormUse): Promise<StatementForm> {
  if (use.form === "validate-check" && (await isForeignKey(client, use))) return "validate-foreign-key";
  if (use.form === "change-column-type" && (await isWidening(client, use))) return "widen-column-type";
  if (use.added !== undefined && (await rewritesRows(client, use.added))) return "add-column-rewrite";
  return use.form;
}

/** What the catalog knows of all tables that scripts name, asked once. */
class Tables {
  readonly #client: pg.Client;
  readonly #relations: ReadonlyMap<string, Relation>;
  readonly #expansions: ReadonlyMap<string, readonly string[]>;
  readonly #counts = new Map<string, Promise<number | undefined>>();

  private constructor(
    client: pg.Client,
    relations: ReadonlyMap<string, Relation>,
    expansions: ReadonlyMap<string, readonly string[]>,
  ) {
    this.#client = client;
    this.#relations = relations;
    this.#expansions = expansions;
  }

  static async read(client: pg.Client, uses: readonly FormUse[]): Promise<Tables> {
    const named = (of: FormUse["of"]) => [
      ...new Set(uses.filter((use) => use.of === of).map(({ object }) => object)),
    ];
    const expansions = new Map([
      ...(await tablesOfIndexes(client, named("index"))),
      ...(await tablesInSchemas(client, named("schema"))),
    ]);
    const names = [...named("relation"), ...[...expansions.values()].flat()];
    return new Tables(client, await readRelations(client, [...new Set(names)]), expansions);
  }

  /** The existing tables that a use of a form is about. */
  of({ of, object }: FormUse): readonly Relation[] {
    const names = of === "relation" ? [object] : (this.#expansions.get(object) ?? []);
    return names.map((name) => this.#relations.get(name)).filter((found) => found !== undefined);
  }

  /** Rows of a table, or values of a column that are not NULL. */
  count({ schema, name }: Relation, column?: string): Promise<number | undefined> {
    const table = qualified(schema, name);
    const counted = column === undefined ? "*" : identifier(column);
    const key = `${table} ${counted}`;
    const known = this.#counts.get(key) ?? countRows(this.#client, table, counted);
    this.#counts.set(key, known);
    return known;
  }

  /** A table with its size; its rows are counted where the server has no estimate. */
  async sized(relation: Relation): Promise<SizedTable> {
    const { schema, name, bytes, estimate, partitioned, leaves } = relation;
    const counted = estimate === null ? await this.count(relation) : undefined;
    return {
      name: `${schema}.${name}`,
      bytes,
      rows: counted ?? estimate,
      counted: counted !== undefined,
      partitions: partitioned ? leaves : 0,
    };
  }
}

/** The lock and the rows of a form, on a plain table or on a partitioned one. */
function factsOn(form: StatementForm, { partitioned }: Relation, referenced: boolean) {
  const fact = factOf(form);
  if (referenced) return { lock: fact.referenced ?? fact.lock, rows: "untouched" } as const;
  const differing = partitioned && typeof fact.partitioned === "object" ? fact.partitioned : {};
  return { lock: differing.parent ?? fact.lock, rows: differing.rows ?? fact.rows };
}

async function effectsOf(client: pg.Client, uses: readonly FormUse[], tables: Tables) {
  const effects: StatementEffect[] = [];
  const losses: Loss[] = [];
  for (const use of uses) {
    const form = await settledForm(client, use);
    for (const relation of tables.of(use)) {
      const blocks = describeBlocking(form);
      const facts = factsOn(form, relation, use.referenced === true);
      effects.push({
        form,
        table: await tables.sized(relation),
        ...facts,
        blocks: blocks === "" || facts.rows === "untouched" ? null : blocks,
        part: use.part ?? null,
      });
      losses.push(...(await lossesOf(form, use, relation, tables)));
    }
  }
  return { effects, losses };
}

async function lossesOf(
  form: StatementForm,
  use: FormUse,
  relation: Relation,
  tables: Tables,
): Promise<Loss[]> {
  const { loses } = factOf(form);
  if (loses === undefined) return [];
  const { schema, name, estimate } = relation;
  const column = loses === "values" ? use.part : undefined;
  const counted = await tables.count(relation, column);
  const what = column === undefined ? `table ${schema}.${name}` : `column ${schema}.${name}.${column}`;
  return [{ what, rows: counted ?? estimate, counted: counted !== undefined }];
}

/** The table or view that a statement makes; where no schema is said, in the first that people have. */
function madeBy(node: Node): TableToCome[] {
  const made = "CreateStmt" in node ? node.CreateStmt.relation : undefined;
  const filled = "CreateTableAsStmt" in node ? node.CreateTableAsStmt.into?.rel : undefined;
  const relation = made ?? filled ?? ("ViewStmt" in node ? node.ViewStmt.view : undefined);
  if (relation?.relname === undefined) return [];
  const elements: readonly Fields[] = ("CreateStmt" in node && node.CreateStmt.tableElts) || [];
  const columns = elements.flatMap((one) => one.ColumnDef?.colname ?? []);
  return [{ schema: relation.schemaname || "public", name: relation.relname, columns }];
}

/** What scripts do, and what they make. */
export interface Effects {
  /** For each script, its statements in order. */
  readonly statements: readonly (readonly PlannedStatement[])[];
  readonly toCome: readonly TableToCome[];
}

/** What the statements of scripts do to the tables that exist: their locks, rewrites and losses, beside sizes and row counts. */
export async function readEffects(client: pg.Client, scripts: readonly PlannedScript[]): Promise<Effects> {
  const all = await Promise.all(scripts.map(statementsOf));
  const tables = await Tables.read(
    client,
    all.flat().flatMap(({ uses }) => uses),
  );
  const planned: PlannedStatement[][] = [];
  for (const statements of all) {
    const found: PlannedStatement[] = [];
    for (const { script, statement, uses } of statements)
      found.push({
        where: script.placeOf(statement.start),
        sql: script.text.slice(statement.start, statement.end).trim(),
        ...(await effectsOf(client, uses, tables)),
      });
    planned.push(found);
  }
  return { statements: planned, toCome: all.flat().flatMap(({ statement }) => madeBy(statement.node)) };
}
