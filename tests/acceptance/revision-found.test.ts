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
  {
    name: "a domain within arrays and composite types of stored columns gets constraints, and loses them on the way down",
    live: `CREATE DOMAIN d AS int; CREATE DOMAIN e AS text; CREATE TYPE c AS (x e[]); CREATE TABLE t (a d[], b d, c c[], f c); INSERT INTO t VALUES ('{1,2}', 3, NULL, ROW(ARRAY['x'])::c)`,
    models: `CREATE DOMAIN d AS int CHECK (VALUE > 0); CREATE DOMAIN e AS text NOT NULL; CREATE TYPE c AS (x e[]); CREATE TABLE t (a d[], b d, c c[], f c)`,
    afterUp: { "SELECT a[2]::int + b FROM t": [5], "SELECT (f).x[1]::text FROM t": ["x"] },
    afterDown: { "SELECT a[2]::int + b FROM t": [5], "SELECT (f).x[1]::text FROM t": ["x"] },
  },
  {
    name: "text search configurations, operators and statistics that are created again keep their owners",
    live: `${roles} CREATE TEXT SEARCH CONFIGURATION conf (COPY = english); ALTER TEXT SEARCH CONFIGURATION conf OWNER TO found_r; CREATE TABLE t (a int, b int);
      CREATE STATISTICS s ON a, b FROM t; ALTER STATISTICS s OWNER TO found_r; CREATE OPERATOR @#@ (FUNCTION = int4um, RIGHTARG = int); ALTER OPERATOR @#@ (NONE, int) OWNER TO found_r`,
    models: `CREATE TEXT SEARCH CONFIGURATION conf (COPY = simple); CREATE TABLE t (a int, b int); CREATE STATISTICS s (mcv) ON a, b FROM t; CREATE OPERATOR @#@ (FUNCTION = int4abs, RIGHTARG = int)`,
    afterUp: {
      "SELECT cfgowner::regrole::text FROM pg_ts_config WHERE cfgname = 'conf' UNION ALL SELECT stxowner::regrole::text FROM pg_statistic_ext UNION ALL SELECT oprowner::regrole::text FROM pg_operator WHERE oprname = '@#@'":
        ["found_r", "found_r", "found_r"],
    },
  },
  {
    name: "settings and statistics of columns do not differ by the place that a column gets when it comes back",
    live: "CREATE TABLE t (a int, b int, c int); ALTER TABLE t ALTER b SET STATISTICS 5, ALTER c SET STATISTICS 6; CREATE STATISTICS s ON b, c FROM t; CREATE STATISTICS e ON (a + 1), b, c FROM t",
    models: "CREATE TABLE t (a int, c int); ALTER TABLE t ALTER c SET STATISTICS 6",
  },
  {
    name: "a column that views and policies of a partition read gets another type by its parent",
    live: `${roles} CREATE TABLE t (id int, c smallint) PARTITION BY LIST (id); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE u (c int); CREATE TABLE u_1 () INHERITS (u);
      CREATE VIEW v AS SELECT c FROM t_1; CREATE VIEW w AS SELECT c FROM v; CREATE MATERIALIZED VIEW m AS SELECT c FROM u_1; CREATE POLICY p ON t_1 USING (c > 0);
      GRANT SELECT ON v TO found_r; INSERT INTO t VALUES (1, 2); INSERT INTO u_1 VALUES (3)`,
    models: `CREATE TABLE t (id int, c int) PARTITION BY LIST (id); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE u (c bigint); CREATE TABLE u_1 () INHERITS (u);
      CREATE VIEW v AS SELECT c FROM t_1; CREATE VIEW w AS SELECT c FROM v; CREATE MATERIALIZED VIEW m AS SELECT c FROM u_1; CREATE POLICY p ON t_1 USING (c > 0)`,
    afterUp: { "SELECT c FROM w": [2], "SELECT has_table_privilege('found_r', 'v', 'SELECT')": [true] },
    afterDown: { "SELECT c FROM w": [2] },
  },
  {
    name: "a column becomes an identity again after it is NOT NULL",
    live: "CREATE TABLE t (a int, c smallint GENERATED BY DEFAULT AS IDENTITY); CREATE TYPE m AS ENUM ('a'); INSERT INTO t (a) VALUES (1)",
    models: "CREATE TABLE t (a int, c int); CREATE TYPE n AS ENUM ('b')",
    afterDown: { "SELECT c::int FROM t": [1] },
  },
]);
