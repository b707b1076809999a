import type { TableLock } from "../statement-facts/facts.ts";

/** The version of `Plan`'s JSON form. Members are added without another number; a changed meaning has one. */
export const planVersion = 1;

/** What `./pgstack up` would do to one database, in full: nothing here is cut. */
export interface Plan {
  readonly version: typeof planVersion;
  readonly stack: string;
  /** When it was made, ISO 8601 in UTC. */
  readonly madeAt: string;
  readonly server: PlannedServer;
  /** The newest applied migration now and after the update; null where there is none. */
  readonly head: { readonly from: string | null; readonly to: string | null };
  /** Whether `up` would change anything. */
  readonly changes: boolean;
  /** Everything that `up` would refuse. */
  readonly refusals: readonly string[];
  /** What a person should know besides, in the words of the preview. */
  readonly notes: readonly string[];
  readonly roles: readonly PlannedRole[];
  /** Statements about rights and attributes that `up` would run, in order. */
  readonly rightsStatements: readonly string[];
  /** Differences between the server and what the stack's last update declared. */
  readonly drift: readonly Drift[];
  readonly migrations: PlannedMigrations;
  readonly dump: PlannedDump | null;
  readonly restore: PlannedRestore | null;
  readonly cutover: PlannedCutover | null;
  /** The resources of Pulumi that change, in the engine's order. */
  readonly resources: readonly PlannedResource[];
  readonly untouched: { readonly migrations: number; readonly roles: number };
  /** The applied migrations in the order of application; missing where nobody could read the stack. */
  readonly history?: readonly AppliedRevision[];
  /** The tables, with what pending migrations change about them; read for JSON and HTML. */
  readonly schema?: PlannedSchema;
  /** Who may do what to which table; read for JSON and HTML, missing where the database could not be read. */
  readonly matrix?: RightsMatrix;
}

/** The database, and how much of it could be read. */
export interface PlannedServer {
  readonly database: string;
  /** Null where the server is still to be made. */
  readonly host: string | null;
  readonly port: number | null;
  /** As `server_version`; null where it could not be asked. */
  readonly version: string | null;
  /** `unmade`: the stack has no server or database yet. `absent`: the server knows no such database. */
  readonly state: "read" | "unmade" | "absent" | "unreachable";
  /** Why it could not be read. */
  readonly reason: string | null;
}

/** One attribute, setting or membership, as text; null where it has none. */
export interface AttributeChange {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** One role of the stack beside what it may do now and after the update. */
export interface PlannedRole {
  readonly name: string;
  readonly change: "create" | "change" | "drop" | "none";
  /** Null for the owner, and for a role that is dropped. */
  readonly access: "readonly" | "readwrite" | null;
  readonly attributes: readonly AttributeChange[];
  /** Which tables it reads after the update; null where nobody knows the tables, or where it is the owner's. */
  readonly reads: ReadTables | null;
  /** Rights that the changed declaration gives and takes, such as "SELECT on table public.users". */
  readonly gains: readonly string[];
  readonly loses: readonly string[];
}

/** The tables, views and materialized views that a role reads, by `schema.table`. */
export interface ReadTables {
  /** How many there are, those of pending migrations included. */
  readonly total: number;
  readonly whole: readonly string[];
  /** With the columns that it does not read. */
  readonly partly: readonly { readonly table: string; readonly without: readonly string[] }[];
  readonly not: readonly string[];
}

/** Something that is not as it was declared, and that no change of the declaration made. */
export interface Drift {
  readonly kind: "right" | "attribute" | "role" | "schema" | "setting" | "index" | "extension" | "history";
  /** The role, table, index, extension or migration. */
  readonly subject: string;
  /** What was found, such as "INSERT on table public.games, which nobody declared". */
  readonly found: string;
  /** What `up` does about it, such as "revoked"; null where that is a person's matter. */
  readonly becomes: string | null;
}

/** What is not as it was declared in one database: the JSON of `./pgstack drift`. */
export interface DriftReport {
  readonly version: typeof planVersion;
  readonly stack: string;
  /** When it was read, ISO 8601 in UTC. */
  readonly madeAt: string;
  readonly server: PlannedServer;
  readonly drift: readonly Drift[];
}

export interface PlannedMigrations {
  /** What `up` runs, in order. */
  readonly apply: readonly PlannedMigration[];
  /** Down migrations that `up` runs after these, in order: what was applied last goes first. */
  readonly revert: readonly PlannedMigration[];
  /** What `up` records as applied after it compared the schema, and does not run. */
  readonly adopt: readonly string[];
  /** Files that `migrations.to` holds back. */
  readonly heldBack: readonly string[];
  /** How many are applied now. */
  readonly applied: number;
}

/** One direction of one migration that would run. */
export interface PlannedMigration {
  readonly name: string;
  /** As it is named in messages; for a down migration the history table, where it comes from. */
  readonly file: string;
  readonly language: "sql" | "js";
  /** Whether it has a down migration. */
  readonly reversible: boolean;
  /** False where each statement commits by itself. */
  readonly transaction: boolean;
  /** The script as it stands in the file, marker line and comments included. */
  readonly sql: string;
  /** Empty for a module, whose SQL only a run shows. */
  readonly statements: readonly PlannedStatement[];
  /** Dangers, with the way around each, in the words of `status`. */
  readonly warnings: readonly string[];
}

/** One statement and what it means for the tables that exist before the update. */
export interface PlannedStatement {
  /** Such as `migrations/x.sql:14`. */
  readonly where: string;
  readonly sql: string;
  readonly effects: readonly StatementEffect[];
  readonly losses: readonly Loss[];
}

/** What a statement does to one table. */
export interface StatementEffect {
  /** The entry of the table of statement facts, such as `create-index`. */
  readonly form: string;
  readonly table: SizedTable;
  readonly lock: TableLock;
  readonly rows: "untouched" | "read" | "rewritten";
  /** Who waits as long as it takes to go through all rows; null where nobody waits for long. */
  readonly blocks: string | null;
  /** The column or constraint, where it is about one. */
  readonly part: string | null;
}

/** A table with all of its partitions. */
export interface SizedTable {
  /** `schema.table`, without quotes. */
  readonly name: string;
  /** With indexes and TOAST. */
  readonly bytes: number;
  /** The server's estimate, or counted where it has none; null where that took too long. */
  readonly rows: number | null;
  /** Whether the rows were counted. */
  readonly counted: boolean;
  /** Partitions that hold rows; 0 for a plain table. */
  readonly partitions: number;
}

/** Rows or values that are gone afterwards. */
export interface Loss {
  /** Such as "table public.users" or "column public.users.email". */
  readonly what: string;
  /** Rows of a table, or values of a column that are not NULL; null where nobody could count them. */
  readonly rows: number | null;
  /** False where it is the server's estimate. */
  readonly counted: boolean;
}

export interface PlannedDump {
  readonly label: string;
  readonly when: "before" | "after";
  readonly path: string;
  /** False where the dump of that label is there. */
  readonly made: boolean;
  /** The stack's newest dump that is there. */
  readonly last: { readonly path: string; readonly createdAt: string; readonly bytes: number } | null;
}

export interface PlannedRestore {
  readonly from: string;
  /** When the dump was made, ISO 8601 in UTC; null where no report says so. */
  readonly createdAt: string | null;
  /** False where the database has been restored from it. */
  readonly made: boolean;
  /** Version of the server that was dumped; null where it is not restored. */
  readonly serverVersion: string | null;
  readonly tables: number;
  /** What the database loses. */
  readonly lost: readonly string[];
  /** Migrations that the dump lacks, and `up` applies then. */
  readonly missing: readonly string[];
}

export interface PlannedCutover {
  readonly from: string;
  readonly state: "rehearse" | "switch";
  readonly method: "copy" | "replicate";
  readonly completed: boolean;
  /** The last rehearsal; null where there was none. */
  readonly rehearsal: CutoverRehearsal | null;
}

export interface CutoverRehearsal {
  readonly rehearsedAt: string;
  readonly expectedDowntimeSeconds: number | null;
  readonly stages: readonly CutoverStage[];
  /** What would stop a switch. */
  readonly blocking: readonly string[];
  readonly notes: readonly string[];
}

/** One part of a rehearsal, with what it moved. */
export interface CutoverStage {
  readonly name: string;
  readonly seconds: number;
  readonly rows: number | null;
  readonly bytes: number | null;
}

/** A resource of Pulumi that an update makes, changes or removes. */
export interface PlannedResource {
  readonly operation: string;
  readonly type: string;
  readonly name: string;
  /** The inputs that differ. */
  readonly because: readonly string[];
}

/** One applied migration. */
export interface AppliedRevision {
  readonly name: string;
  /** ISO 8601 in UTC. */
  readonly appliedAt: string;
  /** Role, person and machine. */
  readonly appliedBy: string;
  readonly milliseconds: number;
  /** Recorded by a baseline, and not run. */
  readonly baseline: boolean;
  /** Whether the update takes it back. */
  readonly reverted: boolean;
}

/** What pending migrations do to a part of the schema. */
export type SchemaChange = "add" | "change" | "drop" | "none";

/** Tables and the foreign keys between them: those that exist, and those that pending migrations make. */
export interface PlannedSchema {
  /** Partitions are left out: their table stands for them. */
  readonly tables: readonly SchemaTable[];
  readonly references: readonly SchemaReference[];
}

export interface SchemaTable {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly SchemaColumn[];
  readonly change: SchemaChange;
  /** Its new name, as `schema.table`; null where it keeps its name. */
  readonly becomes: string | null;
  /** The statements that touch it, such as `migrations/x.sql:14`. */
  readonly because: readonly string[];
}

export interface SchemaColumn {
  readonly name: string;
  /** As `format_type` writes it; null where only a run shows it. */
  readonly type: string | null;
  readonly notNull: boolean;
  /** Part of the primary key. */
  readonly key: boolean;
  readonly change: SchemaChange;
  /** Its new name or its new type; null where both stay. */
  readonly becomes: string | null;
}

/** A foreign key. */
export interface SchemaReference {
  /** Null where PostgreSQL gives the name. */
  readonly name: string | null;
  /** The tables, as `schema.table`. */
  readonly from: string;
  readonly columns: readonly string[];
  readonly to: string;
  readonly referenced: readonly string[];
  readonly change: SchemaChange;
}

/** What each role may do to each table and view. */
export interface RightsMatrix {
  readonly roles: readonly MatrixRole[];
  /** The rights on a table that this version of the server has, in the order in which they are shown. */
  readonly rights: readonly string[];
  /** As `schema.table`, those of pending migrations last. */
  readonly tables: readonly string[];
  /** Only those in which something is held, gained or lost. */
  readonly cells: readonly MatrixCell[];
}

export interface MatrixRole {
  readonly name: string;
  /** Null for a role that the stack does not declare. */
  readonly access: "owner" | "readonly" | "readwrite" | null;
  readonly superuser: boolean;
  /** When its password ends, ISO 8601; null where it does not. */
  readonly validUntil: string | null;
}

export interface MatrixCell {
  readonly role: string;
  readonly table: string;
  /** Such as SELECT: now, by whatever way. */
  readonly held: readonly string[];
  /** The columns that it reads, where it reads the table in part. */
  readonly columns: readonly string[];
  /** What `up` gives and takes. */
  readonly gains: readonly string[];
  readonly loses: readonly string[];
}
