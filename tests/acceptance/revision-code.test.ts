import { type RevisionCase, testCases } from "../support/revision.ts";

const trigger = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'";

const cases: RevisionCase[] = [
  {
    name: "EXECUTE that a stack took from PUBLIC is not given back",
    live: "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC",
    models: "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (id int)",
    afterUp: { "SELECT has_function_privilege('public', 'f()', 'EXECUTE')": [false] },
    afterDown: { "SELECT has_function_privilege('public', 'f()', 'EXECUTE')": [false] },
  },
  {
    name: "a column's type changes under a view, a view of it and a materialized view with index, comments and grants",
    live: "CREATE ROLE reader; CREATE TABLE t (id int, n int); INSERT INTO t VALUES (1, 2); CREATE VIEW v AS SELECT id, n FROM t; CREATE VIEW w AS SELECT n FROM v; CREATE MATERIALIZED VIEW m AS SELECT n FROM t; CREATE INDEX m_n ON m (n); COMMENT ON MATERIALIZED VIEW m IS 'm'; COMMENT ON COLUMN v.n IS 'n'; COMMENT ON COLUMN m.n IS 'mn'; COMMENT ON INDEX m_n IS 'i'; GRANT SELECT ON v, w, m TO reader; GRANT SELECT (id) ON t TO reader",
    models:
      "CREATE TABLE t (id int, n bigint); CREATE VIEW v AS SELECT id, n FROM t; CREATE VIEW w AS SELECT n FROM v; CREATE MATERIALIZED VIEW m AS SELECT n FROM t; CREATE INDEX m_n ON m (n); COMMENT ON MATERIALIZED VIEW m IS 'm'; COMMENT ON COLUMN v.n IS 'n'; COMMENT ON COLUMN m.n IS 'mn'; COMMENT ON INDEX m_n IS 'i'",
    afterUp: {
      "SELECT n::int FROM m": [2],
      "SELECT has_table_privilege('reader', r, 'SELECT') FROM unnest(ARRAY['v', 'w', 'm']) r": [
        true,
        true,
        true,
      ],
    },
    afterDown: {
      "SELECT has_table_privilege('reader', r, 'SELECT') FROM unnest(ARRAY['v', 'w', 'm']) r": [
        true,
        true,
        true,
      ],
    },
  },
  {
    name: "a function gets another argument name, another another return type, under a default and a view",
    live: "CREATE FUNCTION a(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE FUNCTION b() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (i int DEFAULT a(1)); CREATE VIEW v AS SELECT b() AS b",
    models:
      "CREATE FUNCTION a(y int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE FUNCTION b() RETURNS text LANGUAGE sql AS 'SELECT ''1'''; CREATE TABLE t (i int DEFAULT a(1)); CREATE VIEW v AS SELECT b() AS b",
    afterUp: { "SELECT b FROM v": ["1"], "INSERT INTO t DEFAULT VALUES RETURNING i": [1] },
  },
  {
    name: "a function gains PARALLEL SAFE, a comment, a SET clause and a cost; a column's comment goes",
    live: "CREATE FUNCTION a(x int) RETURNS int LANGUAGE sql AS 'SELECT $1'; CREATE TABLE t (i int); COMMENT ON COLUMN t.i IS 'old'",
    models:
      "CREATE FUNCTION a(x int) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE STRICT LEAKPROOF COST 7 SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT $1'; COMMENT ON FUNCTION a IS 'a'; CREATE TABLE t (i int)",
    up: [/PARALLEL SAFE/, /COMMENT ON COLUMN public\.t\.i IS NULL/],
  },
  {
    name: "procedures, aggregates, window functions, variadic and table functions, and bodies of all sorts",
    live: "SELECT 1",
    models: `CREATE PROCEDURE p(INOUT a int, b text DEFAULT 'x;') LANGUAGE plpgsql AS $p$ BEGIN a := 1; -- migrate: down
      END $p$;
      CREATE FUNCTION s(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2'; CREATE AGGREGATE total(int) (SFUNC = s, STYPE = int, INITCOND = '0', PARALLEL = SAFE); COMMENT ON AGGREGATE total(int) IS 't';
      CREATE FUNCTION va(VARIADIC x int[]) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION tb(n int) RETURNS TABLE (a int, b text) LANGUAGE sql ROWS 5 AS 'SELECT 1, ''x''';
      CREATE FUNCTION at(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT s(x, 1); END; CREATE FUNCTION so(t int) RETURNS SETOF int LANGUAGE plpgsql AS 'BEGIN RETURN NEXT 1; END'`,
  },
  {
    name: "views of views, rules, policies and row security",
    live: "CREATE TABLE t (id int, who text); CREATE VIEW v AS SELECT id FROM t; CREATE POLICY p ON t USING (true)",
    models:
      "CREATE TABLE t (id int, who text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY p ON t AS RESTRICTIVE FOR SELECT USING (who = CURRENT_USER); CREATE POLICY q ON t FOR INSERT WITH CHECK (id > 0); COMMENT ON POLICY q ON t IS 'q'; CREATE VIEW v WITH (security_barrier) AS SELECT id, who FROM t WITH LOCAL CHECK OPTION; CREATE VIEW w AS SELECT id FROM v; ALTER VIEW w ALTER COLUMN id SET DEFAULT 5; CREATE RULE r AS ON DELETE TO w DO INSTEAD NOTHING; CREATE RECURSIVE VIEW rec (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM rec WHERE n < 5",
  },
  {
    name: "a column is renamed and gets another type under a trigger, a publication's filter, a policy, a rule and statistics",
    live: `CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL DEFAULT 1 CHECK (a > 0)); ${trigger}; CREATE TRIGGER tr BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (NEW.a > 0) EXECUTE FUNCTION f(); CREATE PUBLICATION p FOR TABLE t WHERE (id > 1); CREATE POLICY po ON t USING (a > 0); CREATE RULE r AS ON DELETE TO t WHERE OLD.a > 5 DO INSTEAD NOTHING; CREATE STATISTICS st ON id, a FROM t; CREATE INDEX t_a ON t (a) WHERE a > 2; INSERT INTO t VALUES (1)`,
    models: `CREATE TABLE t (id bigint PRIMARY KEY, z bigint NOT NULL DEFAULT 1 CHECK (z > 0)); ${trigger}; CREATE TRIGGER tr BEFORE UPDATE OF z ON t FOR EACH ROW WHEN (NEW.z > 0) EXECUTE FUNCTION f(); CREATE PUBLICATION p FOR TABLE t WHERE (id > 1); CREATE POLICY po ON t USING (z > 0); CREATE RULE r AS ON DELETE TO t WHERE OLD.z > 5 DO INSTEAD NOTHING; CREATE STATISTICS st ON id, z FROM t; CREATE INDEX t_a ON t (z) WHERE z > 2`,
    rename: ["t.a=z"],
    without: [/DATA LOSS/],
    afterUp: { "SELECT z::int FROM t": [1] },
    afterDown: { "SELECT a FROM t": [1] },
  },
  {
    name: "triggers of all sorts, disabled ones and constraint triggers",
    live: `CREATE TABLE t (id int, a text); ${trigger}; CREATE TRIGGER one BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()`,
    models: `CREATE TABLE t (id int, a text); CREATE VIEW v AS SELECT id FROM t; ${trigger}; CREATE TRIGGER one BEFORE INSERT OR UPDATE OF a ON t FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION f('x'); ALTER TABLE t DISABLE TRIGGER one; CREATE CONSTRAINT TRIGGER two AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f(); CREATE TRIGGER three AFTER UPDATE ON t REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION f(); CREATE TRIGGER four INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f(); COMMENT ON TRIGGER two ON t IS '2'`,
  },
  {
    name: "a schema whose own dump does not load: a function that casts to an unqualified type, under an index and a generated column",
    versions: [15, 16], // later ones refuse to make the index
    live: "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE FUNCTION fit(m text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT m::mood = ''a''::mood'; CREATE TABLE t (m text, ok boolean GENERATED ALWAYS AS (fit(m)) STORED); CREATE INDEX t_fit ON t (fit(m)); INSERT INTO t VALUES ('a')",
    models:
      "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE FUNCTION fit(m text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT m::mood = ''a''::mood'; CREATE TABLE t (m text, ok boolean GENERATED ALWAYS AS (fit(m)) STORED, n int); CREATE INDEX t_fit ON t (fit(m)); CREATE INDEX t_fit2 ON t (m) WHERE fit(m)",
  },
  {
    name: "EXECUTE is taken from PUBLIC where the models say so, and other grants of the database stay",
    live: "CREATE ROLE other; CREATE FUNCTION a() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (i int); GRANT SELECT ON t TO other; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO other",
    models:
      "CREATE FUNCTION a() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION a() FROM PUBLIC; CREATE TABLE t (i int, j int); CREATE TABLE u (i int)",
    up: [/REVOKE/],
    without: [/other/],
    afterUp: {
      "SELECT has_table_privilege('other', 't', 'SELECT') AND has_table_privilege('other', 'u', 'SELECT')": [
        true,
      ],
    },
  },
];

testCases(cases);
