import type { Node } from "libpg-query";

/** The shape that every node of PostgreSQL's parse tree has, for a rule that asks for a few fields of it. */
// biome-ignore lint/suspicious/noExplicitAny: libpg-query types a node as a union of some 270 kinds, and a rule reads fields of several
type Fields = any;

/** A danger in a statement. */
export interface Danger {
  /** Name for to_regclass (quoted) of the table or index that must exist for the danger to be real. */
  readonly object: string;
  /** What precisely, such as a column. */
  readonly part?: string | undefined;
}

/** One rule: what it looks for, why, and what to do instead. */
export interface LintRule {
  readonly id: string;
  /** `data`: rows or columns are lost. `lock`: readers or writers wait. `clients`: running programs break. */
  readonly risk: "data" | "lock" | "clients";
  /** What happens, and the safer way, in a sentence. */
  readonly advice: string;
  readonly find: (node: Node) => readonly Danger[];
}

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** The quoted name of a relation in the parse tree. */
export function relationName(relation: Fields): string {
  return [relation?.schemaname, relation?.relname].filter(Boolean).map(quote).join(".");
}

function listName(object: Fields): string {
  const items = object?.List?.items ?? object?.TypeName?.names ?? [object];
  return items.map((item: Fields) => quote(item?.String?.sval ?? "")).join(".");
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
          })),
  );
}

const constraint = (type: string, matches: (fields: Fields) => boolean) =>
  onAlter(
    "AT_AddConstraint",
    ({ def }) => def?.Constraint?.contype === type && matches(def.Constraint),
    ({ def }) => def.Constraint.conname,
  );

function drop(kind: string, matches: (fields: Fields) => boolean = () => true) {
  return on("DropStmt", (fields) =>
    fields.removeType === kind && matches(fields)
      ? (fields.objects ?? []).map((object: Fields) => ({ object: listName(object) }))
      : [],
  );
}

function constraintOf(command: Fields, type: string): Fields {
  const all = command.def?.ColumnDef?.constraints ?? [];
  return all.map((one: Fields) => one.Constraint).find((one: Fields) => one?.contype === type);
}

const steady = /^(now|current_timestamp|transaction_timestamp|statement_timestamp)$/;

/** A default that is computed for each row makes PostgreSQL write each row anew. */
function rewrites(command: Fields): boolean {
  if (
    constraintOf(command, "CONSTR_GENERATED") !== undefined ||
    constraintOf(command, "CONSTR_IDENTITY") !== undefined
  )
    return true;
  if (/"(big|small)?serial[248]?"/.test(JSON.stringify(command.def?.ColumnDef?.typeName ?? {}))) return true;
  const calls = [
    ...JSON.stringify(constraintOf(command, "CONSTR_DEFAULT")?.raw_expr ?? {}).matchAll(
      /"funcname":\[(?:\{"String":\{"sval":"pg_catalog"\}\},)?\{"String":\{"sval":"(\w+)"\}\}/g,
    ),
  ];
  return calls.some(([, name = ""]) => !steady.test(name));
}

function requiredWithoutDefault(command: Fields): boolean {
  const has = (type: string) => constraintOf(command, type) !== undefined;
  return (
    has("CONSTR_NOTNULL") && !has("CONSTR_DEFAULT") && !has("CONSTR_GENERATED") && !has("CONSTR_IDENTITY")
  );
}

const columnName = ({ def }: Fields) => def?.ColumnDef?.colname;
const always = () => true;
const target = (fields: Fields): readonly Danger[] => [{ object: relationName(fields.relation) }];

/** The rules that squawk and strong_migrations agree on, and those on lost data. */
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
    advice: "keeps writers waiting while it is built; use CREATE INDEX CONCURRENTLY with transaction=off",
    find: on("IndexStmt", (fields) => (fields.concurrent === true ? [] : target(fields))),
  },
  {
    id: "drop-index",
    risk: "lock",
    advice:
      "waits for, and then blocks, everyone on the table; use DROP INDEX CONCURRENTLY with transaction=off",
    find: drop("OBJECT_INDEX", ({ concurrent }) => concurrent !== true),
  },
  {
    id: "change-column-type",
    risk: "lock",
    advice:
      "may write the whole table anew while nobody can read it; add a new column, fill it in batches, then swap the two",
    find: onAlter("AT_AlterColumnType", always),
  },
  {
    id: "set-not-null",
    risk: "lock",
    advice:
      "reads the whole table while nobody else can; add CHECK (… IS NOT NULL) NOT VALID, validate it in a later migration, then set NOT NULL",
    find: onAlter("AT_SetNotNull", always),
  },
  {
    id: "add-foreign-key",
    risk: "lock",
    advice:
      "checks every row while writers of both tables wait; add it NOT VALID, and VALIDATE CONSTRAINT in a later migration",
    find: constraint("CONSTR_FOREIGN", ({ skip_validation }) => skip_validation !== true),
  },
  {
    id: "add-check",
    risk: "lock",
    advice:
      "checks every row while nobody else can read; add it NOT VALID, and VALIDATE CONSTRAINT in a later migration",
    find: constraint("CONSTR_CHECK", ({ skip_validation }) => skip_validation !== true),
  },
  {
    id: "add-unique",
    risk: "lock",
    advice:
      "builds an index while nobody else can read; build it CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX",
    find: (node) =>
      ["CONSTR_UNIQUE", "CONSTR_PRIMARY"].flatMap((type) =>
        constraint(type, ({ indexname }) => indexname === undefined)(node),
      ),
  },
  {
    id: "add-exclusion",
    risk: "lock",
    advice: "builds an index while nobody else can read, and there is no way around it: choose a quiet hour",
    find: constraint("CONSTR_EXCLUSION", always),
  },
  {
    id: "add-column-rewrite",
    risk: "lock",
    advice:
      "computes the new column for each row while nobody else can read; add it without a default, then fill it in batches",
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
    advice: "writes the whole table anew while nobody can read it; a plain VACUUM does not",
    find: on("VacuumStmt", ({ options = [], rels = [] }) =>
      options.some((one: Fields) => one.DefElem?.defname === "full")
        ? rels.map((one: Fields) => ({ object: relationName(one.VacuumRelation?.relation) }))
        : [],
    ),
  },
  {
    id: "cluster",
    risk: "lock",
    advice: "writes the whole table anew while nobody can read it; choose a quiet hour",
    find: on("ClusterStmt", (fields) => (fields.relation === undefined ? [] : target(fields))),
  },
  {
    id: "reindex",
    risk: "lock",
    advice: "keeps writers waiting; use REINDEX … CONCURRENTLY with transaction=off",
    find: on("ReindexStmt", (fields) =>
      fields.relation === undefined || JSON.stringify(fields.params ?? []).includes('"concurrently"')
        ? []
        : target(fields),
    ),
  },
  {
    id: "refresh-view",
    risk: "lock",
    advice:
      "keeps readers of the materialized view waiting; give it a unique index and use REFRESH … CONCURRENTLY",
    find: on("RefreshMatViewStmt", (fields) =>
      fields.concurrent === true || fields.skipData === true ? [] : target(fields),
    ),
  },
];
