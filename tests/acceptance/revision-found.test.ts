// What random schemas found (tests/generator): each case is a small one of its kind.
import { testCases } from "../support/revision.ts";

const roles = "DO $$ BEGIN IF to_regrole('found_r') IS NULL THEN CREATE ROLE found_r; END IF; END $$;";
const members =
  "SELECT string_agg(tablename, ', ' ORDER BY tablename) FROM pg_publication_tables WHERE pubname = 'p'";

testCases([
  {
    name: "a table is published without the tables that inherit from it",
    live: "CREATE TABLE t (a int); CREATE TABLE u (b int) INHERITS (t); CREATE TABLE w (a int); CREATE TABLE x () INHERITS (w); CREATE PUBLICATION p FOR TABLE ONLY w",
    models:
      "CREATE TABLE t (a int); CREATE TABLE u (b int) INHERITS (t); CREATE TABLE w (a int); CREATE TABLE x () INHERITS (w); CREATE PUBLICATION p FOR TABLE ONLY t; CREATE PUBLICATION q FOR TABLE u, ONLY t, ONLY w",
    afterUp: { [members]: ["t"] },
    afterDown: { [members]: ["w"] },
  },
  {
    name: "attributes of a composite type are added in their order, or the order is told",
    live: "CREATE TYPE one AS (a int); CREATE TYPE two AS (a int, z int)",
    models: "CREATE TYPE one AS (a int, y int, x date, b text); CREATE TYPE two AS (a int, m int, z int)",
    hints: [
      /the attributes of public\.two stay in another order than the models': a, z, m instead of a, m, z/,
    ],
    withoutHints: [/public\.one/],
  },
  {
    name: "an attribute gets a type to which PostgreSQL has no cast",
    live: "CREATE TYPE pair AS (a bytea, b int); CREATE TABLE t (p pair); INSERT INTO t VALUES (NULL), (ROW(NULL, 1))",
    models: "CREATE TYPE pair AS (a bit varying(64), b bigint); CREATE TABLE t (p pair)",
    afterUp: { "SELECT (p).b::int FROM t ORDER BY 1": [1, null] },
  },
  {
    name: "a table is clustered on an index that is created late, and on another one",
    live: `CREATE TABLE t (a int, b text); CREATE FUNCTION f(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'; CREATE INDEX i ON t (f(b)); ALTER TABLE t CLUSTER ON i;
      CREATE TABLE u (a int, b int); CREATE INDEX u_a ON u (a); ALTER TABLE u CLUSTER ON u_a; CREATE TABLE w (a int PRIMARY KEY); ALTER TABLE w CLUSTER ON w_pkey`,
    models: `CREATE TABLE t (a int, b text, c int); CREATE FUNCTION f(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'; CREATE INDEX i ON t (f(b)); ALTER TABLE t CLUSTER ON i;
      CREATE TABLE u (a int, b int); CREATE INDEX u_b ON u (b); ALTER TABLE u CLUSTER ON u_b; CREATE TABLE w (a int PRIMARY KEY)`,
  },
  {
    name: "a materialized view is filled over a view whose owner has the stack's right on a schema",
    live: `${roles} CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO found_r; CREATE TABLE s.t (a int); GRANT SELECT ON s.t TO found_r; CREATE VIEW v AS SELECT a FROM s.t; ALTER VIEW v OWNER TO found_r`,
    models:
      "CREATE SCHEMA s; CREATE TABLE s.t (a int); CREATE VIEW v AS SELECT a FROM s.t; CREATE MATERIALIZED VIEW m AS SELECT a FROM v",
  },
]);
