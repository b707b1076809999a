import type { FactBase, StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { identifier, qualified } from "../../postgres/sql.ts";
import type { StatementForm } from "../../statement-facts/facts.ts";
import { type ColumnId, isColumn, isTable, pathOf, withTablesBelow } from "../catalog/managed-view.ts";
import type { SchemaPair } from "../plan/schema-pair.ts";
import { constrainedDomain } from "../rows/computed-columns.ts";
import { withPlainNames } from "../script/sql-text.ts";
import { formOf } from "../script/statement-form.ts";
import { fillInBatches, repeatable } from "./fill.ts";
import { concurrently, constraintByIndex, type IndexTrees } from "./index-trees.ts";
import { type Gentle, indexOfPartitions, keyOfPartitions } from "./partitions.ts";

/** What the statements of a migration are made gentle with. */
export interface Ground {
  readonly pair: SchemaPair;
  /** The indexes of the schema that the migration leads to. */
  readonly indexes: IndexTrees;
  /** Words that need quotes as a name. */
  readonly keywords: ReadonlySet<string>;
  /** Tables that are there before the migration and stay, by their paths. */
  readonly existing: ReadonlySet<string>;
  /** Objects that the migration has dropped before the statement, by their paths. */
  readonly gone: ReadonlySet<string>;
}

/** Why rows can make a statement fail, as comments say it. */
type Failure = readonly string[];

/** What an action is about: a table with rows, and what is made or dropped on it. */
interface Subject {
  readonly action: Action;
  readonly table: StableId & { readonly schema: string; readonly name: string };
  readonly failure: Failure;
}

const isPartitioned = (facts: FactBase, id: StableId) => facts.get(id)?.payload.partitionKey != null;

function createIndex({ action, failure }: Subject, { indexes }: Ground): Gentle[] | undefined {
  const [id] = action.produces as { schema: string; name: string }[];
  const index = id && indexes.get(qualified(id.schema, id.name));
  if (index === undefined) return undefined;
  if (!index.partitioned) return [{ sql: concurrently(index), comments: failure, alone: true }];
  const [first, ...rest] = indexOfPartitions(index);
  return (
    first && [
      { ...first, comments: ["the index of each partition is built by itself, then attached", ...failure] },
      ...rest,
    ]
  );
}

function dropIndex({ action, table }: Subject, { pair }: Ground): Gentle[] | undefined {
  if (isPartitioned(pair.from, table)) return undefined; // PostgreSQL has no CONCURRENTLY for it; no row is read
  return [{ sql: action.sql.replace(/^DROP INDEX /, "DROP INDEX CONCURRENTLY "), alone: true }];
}

function addKey({ action, failure }: Subject, { indexes }: Ground): Gentle[] | undefined {
  const [id] = action.produces as { schema: string; name: string }[];
  const index = id && indexes.get(qualified(id.schema, id.name));
  if (index?.constraint === undefined || !index.definition.startsWith("CREATE UNIQUE INDEX "))
    return undefined;
  if (!index.partitioned)
    return [{ sql: concurrently(index), comments: failure, alone: true }, { sql: constraintByIndex(index) }];
  const columns = action.sql.split(` ADD CONSTRAINT ${identifier(index.name)} `)[1];
  if (columns === undefined) return undefined;
  const [first, ...rest] = keyOfPartitions(index, columns);
  return (
    first && [
      { ...first, comments: ["the index of each partition is built by itself, then attached", ...failure] },
      ...rest,
    ]
  );
}

/** The name of the constraint that an action adds. */
const constraintIn = ({ produces }: Action) =>
  produces.find(({ kind }) => kind === "constraint") as { name: string } | undefined;

function validatedLater({ action, table, failure }: Subject): Gentle[] | undefined {
  const constraint = constraintIn(action);
  if (constraint === undefined) return undefined;
  const validate = `ALTER TABLE ${qualified(table.schema, table.name)} VALIDATE CONSTRAINT ${identifier(constraint.name)}`;
  return [{ sql: `${action.sql} NOT VALID` }, { sql: validate, comments: failure }];
}

const takenOver =
  "lint: allow add-foreign-key because the valid keys of the partitions become parts of this one, and no row is read";

/** PostgreSQL before version 18 refuses NOT VALID on a partitioned table: the partitions have the key first. */
function addForeignKey(subject: Subject, { pair }: Ground): Gentle[] | undefined {
  const { action, table, failure } = subject;
  if (!isTable(table) || !isPartitioned(pair.to, table)) return validatedLater(subject);
  const leaves = withTablesBelow(table, pair.to).filter((id) => !isPartitioned(pair.to, id));
  const head = `ALTER TABLE ${qualified(table.schema, table.name)} `;
  if (!action.sql.startsWith(head)) return undefined;
  const added = leaves.flatMap((leaf) => {
    const sql = `ALTER TABLE ${qualified(leaf.schema, leaf.name)} ${action.sql.slice(head.length)}`;
    return validatedLater({ action: { ...action, sql }, table: leaf, failure }) ?? [];
  });
  return [...added, { sql: action.sql, comments: [takenOver] }];
}

const unread = "lint: allow set-not-null because the CHECK above says it already, and no row is read";

function notNull({ schema, table, name }: Omit<ColumnId, "kind">, failure: Failure): Gentle[] {
  const head = `ALTER TABLE ${qualified(schema, table)} `;
  const column = identifier(name);
  const constraint = identifier(`pgstack_not_null_of_${name}`);
  return [
    { sql: `${head}ADD CONSTRAINT ${constraint} CHECK (${column} IS NOT NULL) NOT VALID` },
    { sql: `${head}VALIDATE CONSTRAINT ${constraint}`, comments: failure },
    { sql: `${head}ALTER COLUMN ${column} SET NOT NULL`, comments: [unread] },
    { sql: `${head}DROP CONSTRAINT ${constraint}` },
  ];
}

function setNotNull({ action, failure }: Subject): Gentle[] | undefined {
  const column = action.consumes.find(isColumn);
  return column && notNull(column, failure);
}

const filling = [
  "a batch of rows at a time, each in a transaction of its own; triggers of updates fire",
  `${repeatable} rows that have a value are passed over`,
];

function fillColumn({ action }: Subject, { pair, keywords }: Ground): Gentle[] | undefined {
  const id = action.produces.find(isColumn);
  const value = id && pair.to.get({ ...id, kind: "default" })?.payload.expr;
  const suffix = ` DEFAULT ${value}`;
  if (id === undefined || !action.sql.endsWith(suffix) || constrainedDomain(id, pair.to)) return undefined;
  const table = qualified(id.schema, id.table);
  const column = identifier(id.name);
  const added = action.sql.slice(`ALTER TABLE ${table} `.length, -suffix.length).replace(/ NOT NULL$/, "");
  const plain = (sql: string) => withPlainNames(sql, keywords);
  const required = pair.to.get(id)?.payload.notNull === true;
  return [
    { sql: `ALTER TABLE ${table}\n  ${added},\n  ALTER COLUMN ${column} SET${suffix}` },
    { sql: fillInBatches(plain(table), plain(column)), comments: filling, alone: true },
    ...(required ? notNull(id, []) : []),
  ];
}

const rewritings: Partial<Record<StatementForm, (subject: Subject, ground: Ground) => Gentle[] | undefined>> =
  {
    "create-index": createIndex,
    "drop-index": dropIndex,
    "add-unique": addKey,
    "add-check": validatedLater,
    "add-foreign-key": addForeignKey,
    "set-not-null": setNotNull,
    "add-column-rewrite": fillColumn,
  };

/** The table that an action works on. */
function tableOf(
  { produces, destroys, consumes }: Action,
  { from, to }: SchemaPair,
): Subject["table"] | undefined {
  const ids = [...produces, ...destroys, ...consumes];
  const own = ids.map((id) => (to.get(id) ?? from.get(id))?.parent);
  const found = own.find((id) => id?.kind === "table" || id?.kind === "materializedView");
  return found as Subject["table"] | undefined;
}

/** True where the indexes of partitions can be told: no partition is there that is to go later in the same migration. */
function hasFinalPartitions(table: Subject["table"], { pair: { from, to }, gone }: Ground): boolean {
  if (!isTable(table) || !isPartitioned(to, table)) return true;
  const after = new Set(withTablesBelow(table, to).map(pathOf));
  return withTablesBelow(table, from).every((id) => after.has(pathOf(id)) || gone.has(pathOf(id)));
}

/**
 * The statements that do what an action does without keeping readers or writers waiting for long. Pure.
 * @param failure why rows can make it fail, as its comments say it
 * @returns undefined for an action that keeps nobody waiting, or that PostgreSQL has no gentler way for
 */
export function gentleStatements(action: Action, ground: Ground, failure: Failure): Gentle[] | undefined {
  const form = formOf(action, ground.pair.to);
  const rewriting = form && rewritings[form];
  const table = rewriting && tableOf(action, ground.pair);
  if (rewriting === undefined || table === undefined) return undefined;
  if (!ground.existing.has(pathOf(table)) || !hasFinalPartitions(table, ground)) return undefined;
  return rewriting({ action, table, failure }, ground);
}
