import type { Node } from "libpg-query";
import type { StatementForm } from "../../statement-facts/facts.ts";
import { type AddedColumn, addedColumn, constraintOf, rewrites } from "./added-columns.ts";
import { type Fields, listName, relationName, typeText } from "./syntax.ts";

/** A form of a statement, and what it is done to. */
export interface FormUse {
  readonly form: StatementForm;
  /** Name for to_regclass (quoted) of a table, a materialized view or an index; of a schema its quoted name. */
  readonly object: string;
  /** `index`: the table is the one of that index. `schema`: every table in it. */
  readonly of: "relation" | "index" | "schema";
  /** The table that a foreign key refers to, whose lock is another one. */
  readonly referenced?: true;
  /** The column or constraint, where it is about one. */
  readonly part?: string | undefined;
  /** Of a changed column: its new type as SQL; undefined where values are computed. */
  readonly type?: string | undefined;
  /** Of a new column that the parse tree alone does not show to rewrite rows: what the server is asked of it. */
  readonly added?: AddedColumn;
}

const on = (form: StatementForm, object: string, more: Partial<FormUse> = {}): FormUse => ({
  form,
  object,
  of: "relation",
  ...more,
});

/** The forms of ADD CONSTRAINT, and of a constraint beside a new column. */
function ofConstraint(constraint: Fields, object: string): FormUse[] {
  const { contype, conname: part, skip_validation: later, indexname, pktable } = constraint;
  if (contype === "CONSTR_CHECK")
    return [on(later === true ? "add-check-not-valid" : "add-check", object, { part })];
  if (contype === "CONSTR_EXCLUSION") return [on("add-exclusion", object, { part })];
  if (contype === "CONSTR_UNIQUE" || contype === "CONSTR_PRIMARY")
    return [on(indexname === undefined ? "add-unique" : "add-unique-using-index", object, { part })];
  if (contype !== "CONSTR_FOREIGN") return [];
  const form = later === true ? "add-foreign-key-not-valid" : "add-foreign-key";
  return [on(form, object, { part }), on(form, relationName(pktable), { part, referenced: true })];
}

function ofNewColumn(command: Fields, object: string): FormUse[] {
  const part = command.def?.ColumnDef?.colname;
  const keys = ["CONSTR_FOREIGN", "CONSTR_CHECK", "CONSTR_UNIQUE", "CONSTR_PRIMARY"]
    .map((type) => constraintOf(command, type))
    .filter((found) => found !== undefined);
  return [
    rewrites(command)
      ? on("add-column-rewrite", object, { part })
      : on("add-column", object, { part, added: addedColumn(command) }),
    ...keys.flatMap((found) => ofConstraint(found, object)),
  ];
}

function ofNewType({ name, def }: Fields, object: string): FormUse {
  const type = def?.ColumnDef?.raw_default ? undefined : typeText(def?.ColumnDef?.typeName ?? {});
  return on("change-column-type", object, { part: name, type });
}

/** Commands of ALTER TABLE that have one form and nothing more to ask. */
const plainAlterations: Readonly<Record<string, StatementForm>> = {
  AT_DropColumn: "drop-column",
  AT_SetNotNull: "set-not-null",
  AT_DropNotNull: "drop-not-null",
  AT_ColumnDefault: "set-default",
  AT_ValidateConstraint: "validate-check",
  AT_DropConstraint: "drop-constraint",
  AT_AlterConstraint: "alter-constraint",
  AT_SetLogged: "set-logged",
  AT_SetUnLogged: "set-logged",
  AT_SetRelOptions: "set-storage-parameter",
  AT_ResetRelOptions: "set-storage-parameter",
  AT_SetStatistics: "set-statistics",
  AT_EnableRowSecurity: "enable-row-security",
  AT_DisableRowSecurity: "enable-row-security",
  AT_ForceRowSecurity: "enable-row-security",
  AT_NoForceRowSecurity: "enable-row-security",
};

function ofAlteration(command: Fields, object: string): FormUse[] {
  const { subtype, def, name: part } = command;
  if (subtype === "AT_AddColumn") return ofNewColumn(command, object);
  if (subtype === "AT_AlterColumnType") return [ofNewType(command, object)];
  if (subtype === "AT_AddConstraint") return ofConstraint(def?.Constraint ?? {}, object);
  const partition = def?.PartitionCmd;
  if (subtype === "AT_AttachPartition") return [on("attach-partition", object)];
  if (subtype === "AT_DetachPartition")
    return [
      on(partition?.concurrent === true ? "detach-partition-concurrently" : "detach-partition", object),
    ];
  const form = plainAlterations[subtype];
  return form === undefined ? [] : [on(form, object, { part })];
}

function ofAlterTable({ relation, cmds = [], objtype }: Fields): FormUse[] {
  const object = relationName(relation);
  const commands: Fields[] = cmds.map((one: Fields) => one.AlterTableCmd ?? {});
  if (objtype === "OBJECT_INDEX")
    return commands.flatMap(({ subtype }) =>
      subtype === "AT_AttachPartition" ? [on("attach-index", object, { of: "index" })] : [],
    );
  if (objtype !== "OBJECT_TABLE") return [];
  const uses = commands.flatMap((command) => ofAlteration(command, object));
  if (relation?.inh === true) return uses;
  return uses.map((use) => (use.form === "add-unique" ? { ...use, form: "add-unique-only" } : use));
}

function ofDrop({ removeType, objects = [], concurrent, behavior }: Fields): FormUse[] {
  const names: string[] = objects.map(listName);
  if (removeType === "OBJECT_TABLE") return names.map((object) => on("drop-table", object));
  if (removeType === "OBJECT_SCHEMA" && behavior === "DROP_CASCADE")
    return names.map((object) => on("drop-table", object, { of: "schema" }));
  if (removeType === "OBJECT_INDEX")
    return names.map((object) =>
      on(concurrent === true ? "drop-index-concurrently" : "drop-index", object, { of: "index" }),
    );
  if (removeType !== "OBJECT_TRIGGER") return [];
  return objects.map((object: Fields) =>
    on("drop-trigger", listName({ List: { items: object.List?.items?.slice(0, -1) ?? [] } })),
  );
}

/** By kind of statement; what is not here keeps nobody waiting on a table. */
const readers: Readonly<Record<string, (fields: Fields) => FormUse[]>> = {
  AlterTableStmt: ofAlterTable,
  IndexStmt: ({ relation, concurrent }) => [
    on(
      concurrent === true
        ? "create-index-concurrently"
        : relation?.inh === true
          ? "create-index"
          : "create-index-only",
      relationName(relation),
    ),
  ],
  DropStmt: ofDrop,
  ReindexStmt: ({ relation, kind, params = [] }) => {
    const gently = JSON.stringify(params).includes('"concurrently"');
    if (relation === undefined) return [];
    const of = kind === "REINDEX_OBJECT_INDEX" ? "index" : "relation";
    return [on(gently ? "reindex-concurrently" : "reindex", relationName(relation), { of })];
  },
  RenameStmt: ({ renameType, relation, subname: part }) => {
    if (renameType === "OBJECT_TABLE") return [on("rename-table", relationName(relation))];
    const isColumn = renameType === "OBJECT_COLUMN" && relation !== undefined;
    return isColumn ? [on("rename-column", relationName(relation), { part })] : [];
  },
  CreatePolicyStmt: ({ table, policy_name: part }) => [on("create-policy", relationName(table), { part })],
  CreateTrigStmt: ({ relation, trigname: part }) => [on("create-trigger", relationName(relation), { part })],
  CommentStmt: ({ objtype, object }) => {
    if (objtype === "OBJECT_TABLE") return [on("comment", listName(object))];
    if (objtype !== "OBJECT_COLUMN") return [];
    return [on("comment", listName({ List: { items: object?.List?.items?.slice(0, -1) ?? [] } }))];
  },
  TruncateStmt: ({ relations = [] }) =>
    relations.map((one: Fields) => on("truncate", relationName(one.RangeVar))),
  DeleteStmt: ({ relation, whereClause }) =>
    whereClause === undefined ? [on("delete-all", relationName(relation))] : [],
  UpdateStmt: ({ relation, whereClause }) =>
    whereClause === undefined ? [on("update-all", relationName(relation))] : [],
  VacuumStmt: ({ options = [], rels = [] }) =>
    options.some((one: Fields) => one.DefElem?.defname === "full")
      ? rels.map((one: Fields) => on("vacuum-full", relationName(one.VacuumRelation?.relation)))
      : [],
  ClusterStmt: ({ relation }) => (relation === undefined ? [] : [on("cluster", relationName(relation))]),
  RefreshMatViewStmt: ({ relation, concurrent }) => [
    on(concurrent === true ? "refresh-view-concurrently" : "refresh-view", relationName(relation)),
  ],
};

/** What a statement does to tables, as entries of the table of statement facts. */
export function formsOf(node: Node): FormUse[] {
  const [kind = ""] = Object.keys(node);
  return readers[kind]?.((node as Fields)[kind]) ?? [];
}
