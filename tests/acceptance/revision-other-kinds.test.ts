import { type RevisionCase, testCases } from "../support/revision.ts";

const cmp =
  "CREATE FUNCTION cmp(text, text) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT length($1) - length($2)'";
const lt =
  "CREATE FUNCTION lt(text, text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT length($1) < length($2)'";

const cases: RevisionCase[] = [
  {
    name: "statistics objects come, change and go, with their target and comment",
    live: "CREATE TABLE t (a int, b int, c int); CREATE STATISTICS s1 (ndistinct) ON a, b FROM t; CREATE STATISTICS s2 ON a, c FROM t",
    models:
      "CREATE TABLE t (a int, b int, c int); CREATE STATISTICS s1 (dependencies) ON a, b FROM t; CREATE STATISTICS s3 ON (a + b), c FROM t; ALTER STATISTICS s3 SET STATISTICS 50; COMMENT ON STATISTICS s3 IS 'it is'",
  },
  {
    name: "operators, their classes and an index and a view that use them",
    live: "CREATE TABLE t (a text)",
    models: `CREATE TABLE t (a text); ${cmp}; ${lt};
      CREATE OPERATOR <~ (FUNCTION = lt, LEFTARG = text, RIGHTARG = text, COMMUTATOR = >~);
      CREATE OPERATOR >~ (FUNCTION = lt, LEFTARG = text, RIGHTARG = text, COMMUTATOR = <~, RESTRICT = scalarltsel);
      CREATE OPERATOR CLASS by_length FOR TYPE text USING btree AS OPERATOR 1 <~ , FUNCTION 1 cmp(text, text);
      CREATE INDEX t_a ON t (a by_length); CREATE VIEW v AS SELECT a FROM t WHERE a OPERATOR(public.<~) 'abc'; COMMENT ON OPERATOR <~ (text, text) IS 'shorter'`,
  },
  {
    name: "a function under an operator gets another argument name",
    live: `CREATE TABLE t (a text); CREATE FUNCTION lt(x text, y text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 < $2'; CREATE OPERATOR <~ (FUNCTION = lt, LEFTARG = text, RIGHTARG = text); CREATE VIEW v AS SELECT a FROM t WHERE a <~ 'b'; INSERT INTO t VALUES ('a')`,
    models: `CREATE TABLE t (a text); CREATE FUNCTION lt(p text, q text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 < $2'; CREATE OPERATOR <~ (FUNCTION = lt, LEFTARG = text, RIGHTARG = text); CREATE VIEW v AS SELECT a FROM t WHERE a <~ 'b'`,
    afterUp: { "SELECT a FROM v": ["a"] },
  },
  {
    name: "casts",
    live: "CREATE TYPE pair AS (a int, b int)",
    models:
      "CREATE TYPE pair AS (a int, b int); CREATE FUNCTION total(pair) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1.a + $1.b'; CREATE CAST (pair AS int) WITH FUNCTION total(pair) AS ASSIGNMENT; CREATE CAST (pair AS text) WITH INOUT; COMMENT ON CAST (pair AS int) IS 'sum'",
  },
  {
    name: "text search dictionaries and configurations, and a column made with one",
    live: "CREATE TABLE t (a text)",
    models:
      "CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = simple, STOPWORDS = english); CREATE TEXT SEARCH CONFIGURATION mine (COPY = english); ALTER TEXT SEARCH CONFIGURATION mine ALTER MAPPING FOR asciiword WITH plain, english_stem; CREATE TABLE t (a text, v tsvector GENERATED ALWAYS AS (to_tsvector('public.mine', coalesce(a, ''))) STORED); CREATE INDEX t_v ON t USING gin (v)",
  },
  {
    name: "extensions and their objects",
    live: "CREATE EXTENSION hstore; CREATE TABLE t (a int)",
    models:
      "CREATE EXTENSION pg_trgm; CREATE TABLE t (a int, b text); CREATE INDEX t_b ON t USING gin (b gin_trgm_ops)",
    without: [/FUNCTION/, /OPERATOR/],
  },
  {
    name: "publications and event triggers",
    live: "CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE u (b int); CREATE PUBLICATION p FOR TABLE t, u",
    models:
      "CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE u (b int); CREATE PUBLICATION p FOR TABLE t WHERE (a > 1) WITH (publish = 'insert'); CREATE PUBLICATION q FOR ALL TABLES; CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER et ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION e()",
  },
  {
    name: "languages, transforms, conversions, access methods and text search parsers and templates",
    live: "CREATE TABLE t (a int)",
    models: `CREATE TABLE t (a int); CREATE LANGUAGE other HANDLER plpgsql_call_handler VALIDATOR plpgsql_validator; COMMENT ON LANGUAGE other IS 'o';
      CREATE FUNCTION tr(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'prsd_lextype'; CREATE TRANSFORM FOR int LANGUAGE plpgsql (FROM SQL WITH FUNCTION tr(internal));
      CREATE CONVERSION latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8; CREATE ACCESS METHOD tree TYPE INDEX HANDLER bthandler;
      CREATE TEXT SEARCH PARSER p (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype); CREATE TEXT SEARCH TEMPLATE tm (INIT = dsimple_init, LEXIZE = dsimple_lexize)`,
  },
  {
    name: "foreign servers and tables",
    live: "SELECT 1",
    models:
      "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'x'); CREATE FOREIGN TABLE f (a int OPTIONS (n 'y'), b text) SERVER s OPTIONS (t 'z')",
  },
];

testCases(cases);
