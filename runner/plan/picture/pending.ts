import { type Node, parse } from "libpg-query";
import { type Fields, typeText } from "../../migrations/lint/syntax.ts";
import type {
  Plan,
  PlannedSchema,
  PlannedStatement,
  SchemaColumn,
  SchemaReference,
  SchemaTable,
} from "../model.ts";

type Draft<T> = { -readonly [K in keyof T]: T[K] };
type DraftTable = Draft<Omit<SchemaTable, "columns" | "because">> & {
  columns: Draft<SchemaColumn>[];
  because: string[];
};

/** Names of types as `format_type` writes them, by the names that the parser gives. */
const typeNames: Readonly<Record<string, string>> = {
  int2: "smallint",
  int4: "integer",
  int8: "bigint",
  float4: "real",
  float8: "double precision",
  bool: "boolean",
  varchar: "character varying",
  bpchar: "character",
  timestamptz: "timestamp with time zone",
  timestamp: "timestamp without time zone",
  timetz: "time with time zone",
  time: "time without time zone",
  varbit: "bit varying",
  char: '"char"',
};

/** Pseudo-types of CREATE TABLE: integers that a sequence fills. */
const serialTypes: Readonly<Record<string, string>> = {
  serial: "integer",
  serial4: "integer",
  bigserial: "bigint",
  serial8: "bigint",
  smallserial: "smallint",
  serial2: "smallint",
};

/** A type as SQL; null where it cannot be told from the statement alone. */
function typeOf(typeName: Fields): string | null {
  const text = typeText(typeName ?? {})?.replace(/"([a-z_][a-z0-9_]*)"/g, "$1");
  if (text === undefined) return null;
  const [, given = "", size = "", array = ""] =
    /^(?:pg_catalog\.|public\.)?([^([]+)(\([^)]*\))?(.*)$/s.exec(text) ?? [];
  const [first = "", ...more] = (typeNames[given] ?? serialTypes[given] ?? given).split(/(?= with)/);
  return first + size.replaceAll(" ", "") + more.join("") + array;
}

const isSerial = (typeName: Fields) => words(typeName?.names).some((name) => name in serialTypes);

const words = (list: readonly Fields[] = []): string[] => list.map((one) => one.String?.sval ?? "");

/** Work on rows, and not on the table's definition. */
const onRows =
  /^(truncate|delete-all|update-all|vacuum-full|cluster|reindex|refresh-view|validate-|set-statistics)/;

/** A schema into which statements are drawn one after the other. */
class Drawing {
  readonly #tables = new Map<string, DraftTable>();
  readonly #newNames = new Map<string, string>();
  #references: Draft<SchemaReference>[];

  constructor({ tables, references }: PlannedSchema) {
    for (const table of tables)
      this.#tables.set(`${table.schema}.${table.name}`, {
        ...table,
        columns: table.columns.map((column) => ({ ...column })),
        because: [...table.because],
      });
    this.#references = references.map((one) => ({ ...one }));
  }

  get schema(): PlannedSchema {
    return { tables: [...this.#tables.values()], references: this.#references };
  }

  /** The key of the table that a name means: where no schema is said, in `public`, else in the only one that has it. */
  #keyOf(schema: string | undefined, name: string): string {
    const given = `${schema || "public"}.${name}`;
    const key = this.#newNames.get(given) ?? given;
    if (schema || this.#tables.has(key)) return key;
    const others = [...this.#tables].filter(([, table]) => table.name === name);
    return others.length === 1 ? (others[0]?.[0] ?? key) : key;
  }

  #keyOfRelation(relation: Fields): string {
    return this.#keyOf(relation?.schemaname, relation?.relname ?? "");
  }

  #touch(key: string, where: string): DraftTable | undefined {
    const table = this.#tables.get(key);
    if (table === undefined) return undefined;
    if (table.change === "none") table.change = "change";
    if (!table.because.includes(where)) table.because.push(where);
    return table;
  }

  #refer(from: string, columns: readonly string[], constraint: Fields): void {
    const to = this.#keyOfRelation(constraint.pktable);
    const named = words(constraint.pk_attrs);
    const keys = this.#tables.get(to)?.columns.filter(({ key }) => key) ?? [];
    const referenced = named.length > 0 ? named : keys.map(({ name }) => name);
    const name: string | null = constraint.conname ?? null;
    this.#references.push({ name, from, columns: [...columns], to, referenced, change: "add" });
  }

  /** What a constraint of a table, or of a column of it, shows in the picture. */
  #constrain(table: DraftTable, key: string, constraint: Fields, column?: Draft<SchemaColumn>): void {
    const { contype } = constraint;
    if (contype === "CONSTR_NOTNULL" && column !== undefined) column.notNull = true;
    if (contype === "CONSTR_PRIMARY") {
      const names = column === undefined ? words(constraint.keys) : [column.name];
      for (const one of table.columns.filter(({ name }) => names.includes(name))) {
        Object.assign(one, { key: true, notNull: true });
        if (one.change === "none") one.change = "change";
      }
    }
    if (contype === "CONSTR_FOREIGN")
      this.#refer(key, column === undefined ? words(constraint.fk_attrs) : [column.name], constraint);
  }

  #addColumn(table: DraftTable, key: string, definition: Fields): void {
    if (table.columns.some(({ name, change }) => name === definition.colname && change !== "drop")) return;
    const column: Draft<SchemaColumn> = {
      name: definition.colname ?? "",
      type: typeOf(definition.typeName),
      notNull: isSerial(definition.typeName),
      key: false,
      change: "add",
      becomes: null,
    };
    table.columns.push(column);
    for (const { Constraint } of definition.constraints ?? [])
      this.#constrain(table, key, Constraint ?? {}, column);
  }

  #create({ relation, tableElts = [], inhRelations = [], partspec }: Fields, where: string): void {
    const isPartition = inhRelations.length > 0 && tableElts.length === 0 && partspec === undefined;
    const parent = inhRelations[0]?.RangeVar;
    if (isPartition && this.#touch(this.#keyOfRelation(parent), where) !== undefined) return;
    const key = `${relation.schemaname || "public"}.${relation.relname}`;
    const found = this.#tables.get(key);
    if (found !== undefined && found.change !== "drop") return; // IF NOT EXISTS
    const [schema = "", name = ""] = [relation.schemaname || "public", relation.relname];
    const table: DraftTable = {
      schema,
      name,
      columns: [],
      change: "add",
      becomes: null,
      because: [where],
    };
    this.#tables.set(key, table);
    for (const { ColumnDef, TableLikeClause } of tableElts) {
      if (ColumnDef) this.#addColumn(table, key, ColumnDef);
      const source = TableLikeClause && this.#tables.get(this.#keyOfRelation(TableLikeClause.relation));
      for (const column of source?.columns ?? [])
        table.columns.push({ ...column, key: false, change: "add", becomes: null });
    }
    for (const { Constraint } of tableElts) if (Constraint) this.#constrain(table, key, Constraint);
  }

  #drop(key: string, where: string): void {
    const table = this.#touch(key, where);
    if (table === undefined) return;
    const isNew = table.change === "add";
    if (isNew) this.#tables.delete(key);
    table.change = "drop";
    this.#references = this.#references.filter((one) => {
      if (one.from !== key && one.to !== key) return true;
      const wasNew = one.change === "add";
      one.change = "drop";
      return !wasNew;
    });
  }

  #dropColumn(table: DraftTable, key: string, column: Draft<SchemaColumn>): void {
    if (column.change === "add") table.columns = table.columns.filter((one) => one !== column);
    column.change = "drop";
    for (const one of this.#references)
      if (
        (one.from === key && one.columns.includes(column.name)) ||
        (one.to === key && one.referenced.includes(column.name))
      )
        one.change = "drop";
  }

  #alterColumn(table: DraftTable, key: string, { subtype, def }: Fields, column: Draft<SchemaColumn>): void {
    if (subtype === "AT_DropColumn") {
      this.#dropColumn(table, key, column);
      return;
    }
    const isNew = column.change === "add";
    if (!isNew) column.change = "change";
    if (subtype === "AT_SetNotNull") column.notNull = true;
    if (subtype === "AT_DropNotNull") column.notNull = false;
    if (subtype !== "AT_AlterColumnType") return;
    const type = typeOf(def?.ColumnDef?.typeName);
    if (isNew) column.type = type;
    else column.becomes = type;
  }

  #alter({ relation, cmds = [], objtype }: Fields, where: string): void {
    if (objtype !== "OBJECT_TABLE") return;
    const key = this.#keyOfRelation(relation);
    const table = this.#touch(key, where);
    if (table === undefined) return;
    for (const { AlterTableCmd: command } of cmds) {
      const { subtype, name, def } = command ?? {};
      if (subtype === "AT_AddColumn") this.#addColumn(table, key, def?.ColumnDef ?? {});
      if (subtype === "AT_AddConstraint") this.#constrain(table, key, def?.Constraint ?? {});
      if (subtype === "AT_DropConstraint")
        for (const one of this.#references) if (one.from === key && one.name === name) one.change = "drop";
      const column = table.columns.find((one) => one.name === name || one.becomes === name);
      if (column !== undefined && /Column|NotNull/.test(subtype ?? ""))
        this.#alterColumn(table, key, command, column);
    }
  }

  #rename({ renameType, relation, subname, newname }: Fields, where: string): void {
    if (relation === undefined) return;
    const key = this.#keyOfRelation(relation);
    const table = this.#touch(key, where);
    if (table === undefined) return;
    if (renameType === "OBJECT_COLUMN") {
      const column = table.columns.find(({ name }) => name === subname);
      if (column?.change === "add") column.name = newname;
      else if (column !== undefined) Object.assign(column, { change: "change", becomes: newname });
    } else if (renameType === "OBJECT_TABLE") this.#move(table, key, `${table.schema}.${newname}`);
  }

  /** Gives a table another name: one that exists keeps its place in the picture, where both names stand. */
  #move(table: DraftTable, key: string, becomes: string): void {
    this.#newNames.set(becomes, key);
    if (table.change !== "add") {
      table.becomes = becomes;
      return;
    }
    const [schema = "", name = ""] = becomes.split(/\.(.*)/s);
    Object.assign(table, { schema, name });
    this.#tables.delete(key);
    this.#tables.set(becomes, table);
    this.#newNames.delete(becomes);
    for (const one of this.#references) {
      if (one.from === key) one.from = becomes;
      if (one.to === key) one.to = becomes;
    }
  }

  #dropAll({ removeType, objects = [] }: Fields, where: string): void {
    if (removeType === "OBJECT_TABLE")
      for (const { List } of objects) {
        const names = words(List?.items);
        this.#drop(this.#keyOf(names.at(-2), names.at(-1) ?? ""), where);
      }
    if (removeType === "OBJECT_SCHEMA")
      for (const [key, { schema }] of [...this.#tables])
        if (words(objects).includes(schema)) this.#drop(key, where);
  }

  /** Draws a statement; what has no picture of its own marks the table that it touches. */
  draw(node: Node, { where, effects }: PlannedStatement): void {
    const fields = node as Fields;
    if (fields.CreateStmt) this.#create(fields.CreateStmt, where);
    if (fields.CreateTableAsStmt?.into?.rel && fields.CreateTableAsStmt.objtype === "OBJECT_TABLE")
      this.#create({ relation: fields.CreateTableAsStmt.into.rel }, where);
    if (fields.AlterTableStmt) this.#alter(fields.AlterTableStmt, where);
    if (fields.DropStmt) this.#dropAll(fields.DropStmt, where);
    if (fields.RenameStmt) this.#rename(fields.RenameStmt, where);
    if (fields.IndexStmt) this.#touch(this.#keyOfRelation(fields.IndexStmt.relation), where);
    const { objectType, relation, newschema } = fields.AlterObjectSchemaStmt ?? {};
    if (objectType === "OBJECT_TABLE") {
      const key = this.#keyOfRelation(relation);
      const table = this.#touch(key, where);
      if (table !== undefined) this.#move(table, key, `${newschema}.${table.name}`);
    }
    for (const { form, table } of effects) if (!onRows.test(form)) this.#touch(table.name, where);
  }
}

/** A schema with what a plan's migrations add, change and drop. What is no SQL changes nothing that could be drawn. */
export async function withPending(
  schema: PlannedSchema,
  { apply, revert }: Pick<Plan["migrations"], "apply" | "revert">,
): Promise<PlannedSchema> {
  const drawing = new Drawing(schema);
  for (const statement of [...apply, ...revert].flatMap(({ statements }) => statements)) {
    const parsed = await parse(statement.sql).catch(() => undefined); // the plan's warnings say what is wrong with it
    for (const { stmt } of parsed?.stmts ?? []) if (stmt !== undefined) drawing.draw(stmt, statement);
  }
  return drawing.schema;
}
