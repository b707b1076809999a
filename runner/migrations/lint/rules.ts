import type { Node } from "libpg-query";
import { describeBlocking, type StatementForm } from "../../statement-facts/facts.ts";
import { type AddedColumn, addedColumn, constraintOf, rewrites } from "./added-columns.ts";
import { type Fields, listName, relationName, typeText } from "./syntax.ts";

/** A danger in a statement. */
export interface Danger {
  /** Name for to_regclass (quoted) of the table or index that must exist for the danger to be real. */
  readonly object: string;
  /** What precisely, such as a column. */
  readonly part?: string | undefined;
  /** True where the statement leaves the partitions of a partitioned table alone (ON ONLY). */
  readonly only?: boolean;
  /** Of a changed column: its new type, as SQL. */
  readonly type?: string | undefined;
  /** Of a new column: what the server is asked of it. */
  readonly added?: AddedColumn;
}

/** One rule: what it looks for, why, and what to do instead. */
export interface LintRule {
  readonly id: string;
  /** `data`: rows or columns are lost. `lock`: readers or writers wait. `clients`: running programs break. */
  readonly risk: "data" | "lock" | "clients";
  /** What happens, and the safer way, in a sentence. */
  readonly advice: string;
  /** The same where the table is partitioned, and the safer way another one. */
  readonly partitioned?: string;
  /** True for a rule on partitioned tables alone. */
  readonly onlyPartitioned?: true;
  readonly find: (node: Node) => readonly Danger[];
}

/** A rule on one kind of statement. */
function on(type: string, find: (fields: Fields) => readonly Danger[]): LintRule["find"] {
  return (node) => (type in node ? find((node as Fields)[type]) : []);
}

/** A rule on one command of ALTER TABLE. */
function onAlter(subtype: string, matches: (command: Fields) => boolean, part?: (command: Fields) => string) {
  return on("AlterTableStmt", ({ relation, cmds = [], objtype }) =>
    objtype !== "OBJECT_TABLE"
      ? []
      : cmds
          .map((one: Fields) => one.AlterTableCmd)
          .filter((command: Fields) => command?.subtype === subtype && matches(command))
          .map((command: Fields) => ({
            object: relationName(relation),
            part: part?.(command) ?? command.name,
            ...(relation?.inh === true ? {} : { only: true }),
          })),
  );
}

const constraint = (type: string, matches: (fields: Fields) => boolean) =>
  onAlter(
    "AT_AddConstraint",
    ({ def }) => def?.Constraint?.contype === type && matches(def.Constraint),
    ({ def }) => def.Constraint.conname,
  );

const keys = (matches: (fields: Fields) => boolean) => (node: Node) =>
  ["CONSTR_UNIQUE", "CONSTR_PRIMARY"].flatMap((type) => constraint(type, matches)(node));

function drop(kind: string, matches: (fields: Fields) => boolean = () => true) {
  return on("DropStmt", (fields) =>
    fields.removeType === kind && matches(fields)
      ? (fields.objects ?? []).map((object: Fields) => ({ object: listName(object) }))
      : [],
  );
}

function requiredWithoutDefault(command: Fields): boolean {
  const has = (type: string) => constraintOf(command, type) !== undefined;
  return (
    has("CONSTR_NOTNULL") && !has("CONSTR_DEFAULT") && !has("CONSTR_GENERATED") && !has("CONSTR_IDENTITY")
  );
}

const columnName = ({ def }: Fields) => def?.ColumnDef?.colname;
const always = () => true;

const changedTypes = on("AlterTableStmt", ({ relation, cmds = [], objtype }) =>
  cmds
    .map((one: Fields) => one.AlterTableCmd)
    .filter((command: Fields) => objtype === "OBJECT_TABLE" && command?.subtype === "AT_AlterColumnType")
    .map((command: Fields) => ({
      object: relationName(relation),
      part: command.name,
      type: command.def?.ColumnDef?.raw_default // USING
        ? undefined
        : typeText(command.def?.ColumnDef?.typeName ?? {}),
    })),
);

const target = (fields: Fields): readonly Danger[] => [{ object: relationName(fields.relation) }];
const onlyOf = (fields: Fields) => (fields.relation?.inh === true ? {} : { only: true });

const blocks = (form: StatementForm, way: string) => `${describeBlocking(form)}; ${way}`;

const rewritingColumn = blocks("add-column-rewrite", "add it without a default, then fill it in batches");

const eachLeaf =
  "on a partitioned table, CREATE INDEX … ON ONLY the table, CREATE INDEX CONCURRENTLY on each partition with transaction=off, " +
  "then ALTER INDEX … ATTACH PARTITION for each";

const eachForeignKey =
  "on a partitioned table, add it to each partition NOT VALID, VALIDATE CONSTRAINT on each, then add it to the table, which takes over those of " +
  "the partitions";

const eachUnique =
  "on a partitioned table, ADD CONSTRAINT … to ONLY the table, CREATE UNIQUE INDEX CONCURRENTLY on each partition with transaction=off and " +
  "ADD CONSTRAINT … USING INDEX there, then ALTER INDEX … ATTACH PARTITION for each";

/** The rules that squawk and strong_migrations agree on, and those on lost data. What a statement does is told by `statementFacts`. */
export const lintRules: readonly LintRule[] = [
  {
    id: "drop-table",
    risk: "data",
    advice: "loses the table's rows; stop using it first, and drop it in a later release, after a dump",
    find: drop("OBJECT_TABLE"),
  },
  {
    id: "drop-column",
    risk: "data",
    advice:
      "loses the column's values, and breaks programs that still read it; stop using it in a release before this",
    find: onAlter("AT_DropColumn", always),
  },
  {
    id: "truncate",
    risk: "data",
    advice: "loses all rows; delete the rows that are meant, in batches",
    find: on("TruncateStmt", ({ relations = [] }) =>
      relations.map((one: Fields) => ({ object: relationName(one.RangeVar) })),
    ),
  },
  {
    id: "delete-all",
    risk: "data",
    advice: "a DELETE without WHERE loses all rows; say which rows are meant",
    find: on("DeleteStmt", (fields) => (fields.whereClause === undefined ? target(fields) : [])),
  },
  {
    id: "update-all",
    risk: "lock",
    advice:
      "an UPDATE without WHERE keeps every row locked until the end; update in batches, with transaction=off",
    find: on("UpdateStmt", (fields) => (fields.whereClause === undefined ? target(fields) : [])),
  },
  {
    id: "create-index",
    risk: "lock",
    advice: blocks("create-index", "use CREATE INDEX CONCURRENTLY with transaction=off"),
    partitioned: blocks("create-index", eachLeaf),
    find: on("IndexStmt", (fields) =>
      fields.concurrent === true ? [] : target(fields).map((one) => ({ ...one, ...onlyOf(fields) })),
    ),
  },
  {
    id: "drop-index",
    risk: "lock",
    advice:
      "waits for, and then blocks, everyone on the table; use DROP INDEX CONCURRENTLY with transaction=off",
    partitioned:
      "waits for, and then blocks, everyone on the partitioned table and all of its partitions, and PostgreSQL has no " +
      "CONCURRENTLY for it; choose a quiet hour, and a short lock_timeout",
    find: drop("OBJECT_INDEX", ({ concurrent }) => concurrent !== true),
  },
  {
    id: "change-column-type",
    risk: "lock",
    advice: blocks("change-column-type", "add a new column, fill it in batches, then swap the two"),
    find: changedTypes,
  },
  {
    id: "set-not-null",
    risk: "lock",
    advice: blocks(
      "set-not-null",
      "add CHECK (… IS NOT NULL) NOT VALID, validate it in a later migration, then set NOT NULL",
    ),
    find: onAlter("AT_SetNotNull", always),
  },
  {
    id: "add-foreign-key",
    risk: "lock",
    advice: `${describeBlocking("add-foreign-key")}, nor to the table that it refers to; add it NOT VALID, and VALIDATE CONSTRAINT in a later migration`,
    partitioned: `${describeBlocking("add-foreign-key")}, nor to the table that it refers to; ${eachForeignKey}`,
    find: constraint("CONSTR_FOREIGN", ({ skip_validation }) => skip_validation !== true),
  },
  {
    id: "add-check",
    risk: "lock",
    advice: blocks("add-check", "add it NOT VALID, and VALIDATE CONSTRAINT in a later migration"),
    find: constraint("CONSTR_CHECK", ({ skip_validation }) => skip_validation !== true),
  },
  {
    id: "add-unique",
    risk: "lock",
    advice: blocks("add-unique", "build it CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX"),
    partitioned: blocks("add-unique", eachUnique),
    find: keys(({ indexname }) => indexname === undefined),
  },
  {
    id: "add-exclusion",
    risk: "lock",
    advice: blocks("add-exclusion", "there is no way around it: choose a quiet hour"),
    find: constraint("CONSTR_EXCLUSION", always),
  },
  {
    id: "add-column-rewrite",
    risk: "lock",
    advice: rewritingColumn,
    find: onAlter("AT_AddColumn", rewrites, columnName),
  },
  {
    id: "add-required-column",
    risk: "lock",
    advice:
      "fails when the table has rows: a NOT NULL column needs a default, or comes without NOT NULL first",
    find: onAlter("AT_AddColumn", requiredWithoutDefault, columnName),
  },
  {
    id: "rename",
    risk: "clients",
    advice:
      "breaks programs that use the old name until they are all renewed; add the new name beside the old one first",
    find: on("RenameStmt", (fields) =>
      ["OBJECT_TABLE", "OBJECT_COLUMN"].includes(fields.renameType) && fields.relation !== undefined
        ? [{ object: relationName(fields.relation), part: fields.subname }]
        : [],
    ),
  },
  {
    id: "vacuum-full",
    risk: "lock",
    advice: blocks("vacuum-full", "a plain VACUUM does not"),
    find: on("VacuumStmt", ({ options = [], rels = [] }) =>
      options.some((one: Fields) => one.DefElem?.defname === "full")
        ? rels.map((one: Fields) => ({ object: relationName(one.VacuumRelation?.relation) }))
        : [],
    ),
  },
  {
    id: "cluster",
    risk: "lock",
    advice: blocks("cluster", "choose a quiet hour"),
    find: on("ClusterStmt", (fields) => (fields.relation === undefined ? [] : target(fields))),
  },
  {
    id: "set-logged",
    risk: "lock",
    advice: blocks("set-logged", "choose a quiet hour"),
    find: (node) => ["AT_SetLogged", "AT_SetUnLogged"].flatMap((type) => onAlter(type, always)(node)),
  },
  {
    id: "reindex",
    risk: "lock",
    advice: blocks("reindex", "use REINDEX … CONCURRENTLY with transaction=off"),
    find: on("ReindexStmt", (fields) =>
      fields.relation === undefined || JSON.stringify(fields.params ?? []).includes('"concurrently"')
        ? []
        : target(fields),
    ),
  },
  {
    id: "refresh-view",
    risk: "lock",
    advice: blocks("refresh-view", "give it a unique index and use REFRESH … CONCURRENTLY"),
    find: on("RefreshMatViewStmt", (fields) =>
      fields.concurrent === true || fields.skipData === true ? [] : target(fields),
    ),
  },
];

const refused = (way: string) => `is refused by PostgreSQL; ${way}`;

/** What works on a plain table and PostgreSQL refuses on a partitioned one. */
export const partitionedRules: readonly LintRule[] = [
  {
    id: "create-index",
    risk: "lock",
    onlyPartitioned: true,
    advice: refused(eachLeaf),
    find: on("IndexStmt", (fields) => (fields.concurrent === true ? target(fields) : [])),
  },
  {
    id: "drop-index",
    risk: "lock",
    onlyPartitioned: true,
    advice: refused("drop it without CONCURRENTLY, in a quiet hour and with a short lock_timeout"),
    find: drop("OBJECT_INDEX", ({ concurrent }) => concurrent === true),
  },
  {
    id: "add-foreign-key",
    risk: "lock",
    onlyPartitioned: true,
    advice: refused(eachForeignKey),
    find: constraint("CONSTR_FOREIGN", ({ skip_validation }) => skip_validation === true),
  },
  {
    id: "add-unique",
    risk: "lock",
    onlyPartitioned: true,
    advice: refused(eachUnique),
    find: keys(({ indexname }) => indexname !== undefined),
  },
];

const addedColumns = on("AlterTableStmt", ({ relation, cmds = [], objtype }) =>
  cmds
    .map((one: Fields) => one.AlterTableCmd)
    .filter((command: Fields) => objtype === "OBJECT_TABLE" && command?.subtype === "AT_AddColumn")
    .filter((command: Fields) => !rewrites(command))
    .map((command: Fields) => ({
      object: relationName(relation),
      part: columnName(command),
      added: addedColumn(command),
    })),
);

/** The rule on new columns, of those that only the server can say it of: a domain's, or with a function that a team made. */
export const askedColumns: LintRule = {
  id: "add-column-rewrite",
  risk: "lock",
  advice: rewritingColumn,
  find: addedColumns,
};

const changesColumns = ["AT_AddColumn", "AT_DropColumn", "AT_AlterColumnType"];

/**
 * What a client meets whose session continues over a change of columns: PostgreSQL refuses a prepared statement whose result has
 * other columns than when it was prepared. Said once for each table of a migration.
 */
export const preparedStatements: LintRule = {
  id: "prepared-statements",
  risk: "clients",
  advice:
    'clients that keep a prepared SELECT * of it get "cached plan must not change result type" (0A000) until they prepare it again; ' +
    "name the columns in queries, or let clients reconnect after the migration (RECONNECT in PgBouncer)",
  find: (node) => [
    ...changesColumns
      .flatMap((type) => onAlter(type, always, () => "")(node))
      .map(({ object }) => ({ object })),
    ...on("RenameStmt", (fields) =>
      fields.renameType === "OBJECT_COLUMN" && fields.relation !== undefined ? target(fields) : [],
    )(node),
  ],
};
