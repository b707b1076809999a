import type { StatementForm } from "../../runner/statement-facts/facts.ts";

/** A statement of each form on table `t`, which may be partitioned, with partition `leaf`. */
export interface Example {
  readonly sql: string;
  readonly setup?: string;
  /** What the statement names, where it is not `t`. */
  readonly on?: string;
  /** What another session does that keeps a statement waiting which takes no transaction. */
  readonly against?: string;
  /** The only kind of table that has the form. */
  readonly only?: "plain" | "partitioned";
}

const other =
  "CREATE TABLE apart (id int PRIMARY KEY, a int, n varchar(10), p point); INSERT INTO apart VALUES (200)";

/** An example of each form. */
export const examples: Readonly<Record<StatementForm, Example>> = {
  "create-index": { sql: "CREATE INDEX i ON t (a)" },
  "create-index-concurrently": { sql: "CREATE INDEX CONCURRENTLY i ON t (a)" },
  "attach-index": {
    setup: "CREATE INDEX i ON ONLY t (a); CREATE INDEX leaf_i ON leaf (a)",
    sql: "ALTER INDEX i ATTACH PARTITION leaf_i",
    only: "partitioned",
  },
  "create-index-only": { sql: "CREATE INDEX i ON ONLY t (a)", only: "partitioned" },
  "drop-index": { setup: "CREATE INDEX i ON t (a)", sql: "DROP INDEX i" },
  "drop-index-concurrently": { setup: "CREATE INDEX i ON t (a)", sql: "DROP INDEX CONCURRENTLY i" },
  reindex: { sql: "REINDEX TABLE t", only: "plain" }, // on a partitioned table it runs by itself, a partition a transaction
  "reindex-concurrently": { sql: "REINDEX TABLE CONCURRENTLY t" },
  "add-column": { sql: "ALTER TABLE t ADD b int NOT NULL DEFAULT 0" },
  "add-column-rewrite": { sql: "ALTER TABLE t ADD b uuid DEFAULT gen_random_uuid()" },
  "drop-column": { sql: "ALTER TABLE t DROP COLUMN a" },
  "change-column-type": { sql: "ALTER TABLE t ALTER a TYPE bigint" },
  "widen-column-type": { sql: "ALTER TABLE t ALTER n TYPE varchar(20)" },
  "set-not-null": { sql: "ALTER TABLE t ALTER a SET NOT NULL" },
  "drop-not-null": {
    setup: "ALTER TABLE t ALTER a SET NOT NULL",
    sql: "ALTER TABLE t ALTER a DROP NOT NULL",
  },
  "set-default": { sql: "ALTER TABLE t ALTER a SET DEFAULT 1" },
  "add-check": { sql: "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)" },
  "add-check-not-valid": { sql: "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID" },
  "validate-check": {
    setup: "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
    sql: "ALTER TABLE t VALIDATE CONSTRAINT c",
  },
  "add-foreign-key": { sql: "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES r" },
  "add-foreign-key-not-valid": {
    sql: "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES r NOT VALID",
  },
  "validate-foreign-key": {
    setup: "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES r NOT VALID",
    sql: "ALTER TABLE t VALIDATE CONSTRAINT c",
  },
  "add-unique": { sql: "ALTER TABLE t ADD CONSTRAINT c UNIQUE (id, a)" },
  "add-unique-only": { sql: "ALTER TABLE ONLY t ADD CONSTRAINT c UNIQUE (id, a)", only: "partitioned" },
  "add-unique-using-index": {
    setup: "CREATE UNIQUE INDEX i ON t (id, a)",
    sql: "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i",
  },
  "add-exclusion": { sql: "ALTER TABLE t ADD CONSTRAINT c EXCLUDE USING gist (p WITH ~=)" },
  "drop-constraint": {
    setup: "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)",
    sql: "ALTER TABLE t DROP CONSTRAINT c",
  },
  "alter-constraint": {
    setup: "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES r",
    sql: "ALTER TABLE t ALTER CONSTRAINT c DEFERRABLE",
  },
  "rename-table": { sql: "ALTER TABLE t RENAME TO t2" },
  "rename-column": { sql: "ALTER TABLE t RENAME a TO b" },
  "set-logged": { sql: "ALTER TABLE t SET UNLOGGED" },
  "set-storage-parameter": { sql: "ALTER TABLE t SET (fillfactor = 80)" },
  "set-statistics": { sql: "ALTER TABLE t ALTER a SET STATISTICS 100" },
  "enable-row-security": { sql: "ALTER TABLE t ENABLE ROW LEVEL SECURITY" },
  "create-policy": { sql: "CREATE POLICY c ON t USING (true)" },
  "create-trigger": { sql: "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()" },
  "drop-trigger": {
    setup: "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    sql: "DROP TRIGGER g ON t",
  },
  comment: { sql: "COMMENT ON TABLE t IS 'x'" },
  "drop-table": { setup: "DROP MATERIALIZED VIEW v", sql: "DROP TABLE t" },
  truncate: { sql: "TRUNCATE t" },
  "delete-all": { sql: "DELETE FROM t" },
  "update-all": { sql: "UPDATE t SET a = a" },
  "vacuum-full": { sql: "VACUUM FULL t" },
  cluster: { setup: "ALTER TABLE t CLUSTER ON t_pkey", sql: "CLUSTER t", only: "plain" },
  "refresh-view": { sql: "REFRESH MATERIALIZED VIEW v", on: "v", only: "plain" },
  "refresh-view-concurrently": { sql: "REFRESH MATERIALIZED VIEW CONCURRENTLY v", on: "v", only: "plain" },
  "attach-partition": {
    setup: other,
    sql: "ALTER TABLE t ATTACH PARTITION apart FOR VALUES FROM (100) TO (300)",
    only: "partitioned",
  },
  "detach-partition": { sql: "ALTER TABLE t DETACH PARTITION leaf", only: "partitioned" },
  "detach-partition-concurrently": {
    sql: "ALTER TABLE t DETACH PARTITION leaf CONCURRENTLY",
    against: "BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE",
    only: "partitioned",
  },
};
