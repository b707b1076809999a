/** Locks of a table, from the weakest to the strongest. https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES */
export const tableLocks = [
  "ACCESS SHARE",
  "ROW SHARE",
  "ROW EXCLUSIVE",
  "SHARE UPDATE EXCLUSIVE",
  "SHARE",
  "SHARE ROW EXCLUSIVE",
  "EXCLUSIVE",
  "ACCESS EXCLUSIVE",
] as const;
export type TableLock = (typeof tableLocks)[number];

/** What differs on a partitioned table. */
export interface Partitioned {
  readonly parent?: TableLock;
  readonly leaf?: TableLock;
  /** What happens to the rows of the partitions. */
  readonly rows?: "untouched";
}

/** What PostgreSQL does for one form of a statement. */
export interface StatementFact {
  /** The strongest lock on the table that the statement names. */
  readonly lock: TableLock;
  /** What happens to the rows that are there: how long the lock is held hangs on that. */
  readonly rows: "untouched" | "read" | "rewritten";
  /** What is gone afterwards: all rows of the table, or the values of a column. */
  readonly loses?: "rows" | "values";
  /** True where a query that was prepared as SELECT * fails afterwards, with 0A000. */
  readonly changesResult?: true;
  /** Of a foreign key: the lock on the table that it refers to. */
  readonly referenced?: TableLock;
  /** Whether it cannot share a transaction with other statements. */
  readonly alone?: true;
  /**
   * On a partitioned table: `alike`, the same on it and on all of its partitions; `refused`, PostgreSQL cannot do it there; or what
   * differs, where a lock that is left out is none, or one for a moment. PostgreSQL 15; newer versions refuse less.
   */
  readonly partitioned: "alike" | "refused" | Partitioned;
}

/**
 * Every form of a statement that pgstack writes or warns of, and what it means for others. There is no other list: warnings of
 * pending migrations and comments in generated ones are worded from it, and a test compares each line with a server's
 * pg_locks, its relfilenodes and its counts of scans.
 */
export const statementFacts = {
  "create-index": { lock: "SHARE", rows: "read", partitioned: "alike" },
  "create-index-concurrently": {
    lock: "SHARE UPDATE EXCLUSIVE",
    rows: "read",
    alone: true,
    partitioned: "refused",
  },
  "create-index-only": { lock: "SHARE", rows: "untouched", partitioned: { parent: "SHARE" } },
  "attach-index": {
    lock: "ACCESS SHARE",
    rows: "untouched",
    partitioned: { parent: "ACCESS SHARE", leaf: "ACCESS SHARE" },
  },
  "drop-index": { lock: "ACCESS EXCLUSIVE", rows: "untouched", partitioned: "alike" },
  "drop-index-concurrently": {
    lock: "SHARE UPDATE EXCLUSIVE",
    rows: "untouched",
    alone: true,
    partitioned: "refused",
  },
  reindex: { lock: "SHARE", rows: "read", partitioned: "alike" },
  "reindex-concurrently": {
    lock: "SHARE UPDATE EXCLUSIVE",
    rows: "read",
    alone: true,
    partitioned: { leaf: "SHARE UPDATE EXCLUSIVE" },
  },
  "add-column": { lock: "ACCESS EXCLUSIVE", rows: "untouched", changesResult: true, partitioned: "alike" },
  "add-column-rewrite": {
    lock: "ACCESS EXCLUSIVE",
    rows: "rewritten",
    changesResult: true,
    partitioned: "alike",
  },
  "drop-column": {
    lock: "ACCESS EXCLUSIVE",
    rows: "untouched",
    loses: "values",
    changesResult: true,
    partitioned: "alike",
  },
  "change-column-type": {
    lock: "ACCESS EXCLUSIVE",
    rows: "rewritten",
    changesResult: true,
    partitioned: "alike",
  },
  "widen-column-type": {
    lock: "ACCESS EXCLUSIVE",
    rows: "untouched",
    changesResult: true,
    partitioned: "alike",
  },
  "set-not-null": { lock: "ACCESS EXCLUSIVE", rows: "read", partitioned: "alike" },
  "drop-not-null": { lock: "ACCESS EXCLUSIVE", rows: "untouched", partitioned: "alike" },
  "set-default": { lock: "ACCESS EXCLUSIVE", rows: "untouched", partitioned: "alike" },
  "add-check": { lock: "ACCESS EXCLUSIVE", rows: "read", partitioned: "alike" },
  "add-check-not-valid": { lock: "ACCESS EXCLUSIVE", rows: "untouched", partitioned: "alike" },
  "validate-check": { lock: "SHARE UPDATE EXCLUSIVE", rows: "read", partitioned: "alike" },
  "add-foreign-key": {
    lock: "SHARE ROW EXCLUSIVE",
    rows: "read",
    referenced: "SHARE ROW EXCLUSIVE",
    partitioned: "alike",
  },
  "add-foreign-key-not-valid": {
    lock: "SHARE ROW EXCLUSIVE",
    rows: "untouched",
    referenced: "SHARE ROW EXCLUSIVE",
    partitioned: "refused",
  },
  "validate-foreign-key": {
    lock: "SHARE UPDATE EXCLUSIVE",
    rows: "read",
    referenced: "ROW SHARE",
    partitioned: "refused",
  },
  "add-unique": {
    lock: "ACCESS EXCLUSIVE",
    rows: "read",
    partitioned: { parent: "ACCESS EXCLUSIVE", leaf: "SHARE" },
  },
  "add-unique-only": {
    lock: "ACCESS EXCLUSIVE",
    rows: "untouched",
    partitioned: { parent: "ACCESS EXCLUSIVE" },
  },
  "add-unique-using-index": { lock: "ACCESS EXCLUSIVE", rows: "untouched", partitioned: "refused" },
  "add-exclusion": { lock: "ACCESS EXCLUSIVE", rows: "read", partitioned: "refused" },
  "drop-constraint": { lock: "ACCESS EXCLUSIVE", rows: "untouched", partitioned: "alike" },
  "alter-constraint": { lock: "ACCESS EXCLUSIVE", rows: "untouched", partitioned: "alike" },
  "rename-table": {
    lock: "ACCESS EXCLUSIVE",
    rows: "untouched",
    partitioned: { parent: "ACCESS EXCLUSIVE" },
  },
  "rename-column": {
    lock: "ACCESS EXCLUSIVE",
    rows: "untouched",
    changesResult: true,
    partitioned: "alike",
  },
  "set-logged": {
    lock: "ACCESS EXCLUSIVE",
    rows: "rewritten",
    partitioned: { parent: "ACCESS EXCLUSIVE", rows: "untouched" },
  },
  "set-storage-parameter": {
    lock: "SHARE UPDATE EXCLUSIVE",
    rows: "untouched",
    partitioned: "refused",
  },
  "set-statistics": { lock: "SHARE UPDATE EXCLUSIVE", rows: "untouched", partitioned: "alike" },
  "enable-row-security": {
    lock: "ACCESS EXCLUSIVE",
    rows: "untouched",
    partitioned: { parent: "ACCESS EXCLUSIVE" },
  },
  "create-policy": {
    lock: "ACCESS EXCLUSIVE",
    rows: "untouched",
    partitioned: { parent: "ACCESS EXCLUSIVE" },
  },
  "create-trigger": { lock: "SHARE ROW EXCLUSIVE", rows: "untouched", partitioned: "alike" },
  "drop-trigger": { lock: "ACCESS EXCLUSIVE", rows: "untouched", partitioned: "alike" },
  comment: {
    lock: "SHARE UPDATE EXCLUSIVE",
    rows: "untouched",
    partitioned: { parent: "SHARE UPDATE EXCLUSIVE" },
  },
  "drop-table": { lock: "ACCESS EXCLUSIVE", rows: "untouched", loses: "rows", partitioned: "alike" },
  truncate: { lock: "ACCESS EXCLUSIVE", rows: "rewritten", loses: "rows", partitioned: "alike" },
  "delete-all": { lock: "ROW EXCLUSIVE", rows: "read", loses: "rows", partitioned: "alike" },
  "update-all": { lock: "ROW EXCLUSIVE", rows: "read", partitioned: "alike" },
  "vacuum-full": {
    lock: "ACCESS EXCLUSIVE",
    rows: "rewritten",
    alone: true,
    partitioned: { parent: "ACCESS EXCLUSIVE" },
  },
  cluster: { lock: "ACCESS EXCLUSIVE", rows: "rewritten", partitioned: "alike" },
  "refresh-view": { lock: "ACCESS EXCLUSIVE", rows: "rewritten", partitioned: "refused" },
  "refresh-view-concurrently": { lock: "EXCLUSIVE", rows: "read", partitioned: "refused" },
  "attach-partition": {
    lock: "SHARE UPDATE EXCLUSIVE",
    rows: "read",
    partitioned: { parent: "SHARE UPDATE EXCLUSIVE" },
  },
  "detach-partition": {
    lock: "ACCESS EXCLUSIVE",
    rows: "untouched",
    partitioned: { parent: "ACCESS EXCLUSIVE", leaf: "ACCESS EXCLUSIVE" },
  },
  "detach-partition-concurrently": {
    lock: "SHARE UPDATE EXCLUSIVE",
    rows: "untouched",
    alone: true,
    partitioned: { parent: "SHARE UPDATE EXCLUSIVE" },
  },
} as const satisfies Readonly<Record<string, StatementFact>>;

/** A form of a statement, by what it does. */
export type StatementForm = keyof typeof statementFacts;

/** What is true of a form. */
export const factOf = (form: StatementForm): StatementFact => statementFacts[form];

/** Who waits for a lock, such as "nobody can write to it"; undefined where readers and writers continue. */
export function whoWaits(lock: TableLock): string | undefined {
  if (lock === "ACCESS EXCLUSIVE") return "nobody can read or write it";
  const strength = tableLocks.indexOf(lock);
  return strength >= tableLocks.indexOf("SHARE") ? "nobody can write to it" : undefined;
}

/** True where others wait for as long as the statement takes to go through all rows. */
export function blocksForLong(form: StatementForm): boolean {
  const { lock, rows } = factOf(form);
  return rows !== "untouched" && whoWaits(lock) !== undefined;
}

const indexForms: readonly StatementForm[] = ["create-index", "reindex", "add-unique", "add-exclusion"];

function workOf(form: StatementForm): string {
  const { rows } = factOf(form);
  if (indexForms.includes(form)) return "builds an index";
  return rows === "rewritten" ? "rewrites every row" : "reads every row";
}

/** What a form means for others, such as "reads every row while nobody can write to it". Empty where nobody waits for long. */
export function describeBlocking(form: StatementForm): string {
  const waiting = whoWaits(factOf(form).lock);
  return blocksForLong(form) && waiting !== undefined ? `${workOf(form)} while ${waiting}` : "";
}

/**
 * The same of a table that is named, such as "every row of public.users is read while nobody can write to it".
 * @param form one that `blocksForLong`
 */
export function describeLongLock(form: StatementForm, table: string): string {
  const { rows, lock } = factOf(form);
  const work = rows === "rewritten" ? `every row of ${table} is rewritten` : `every row of ${table} is read`;
  const built = indexForms.includes(form) ? `an index of ${table} is built` : work;
  return `${built} while ${whoWaits(lock)}`;
}
