import { type RevisionCase, testCases } from "../support/revision.ts";

const money = (base: string) =>
  `CREATE DOMAIN money_t AS ${base} CHECK (VALUE >= 0); CREATE TYPE item AS (sku text, price money_t); CREATE TABLE t (p money_t DEFAULT 1, ps money_t[], l item, g numeric GENERATED ALWAYS AS (p * 2) STORED, CHECK (p < 1000)); CREATE INDEX t_p ON t (p); CREATE VIEW v AS SELECT p, l FROM t; CREATE FUNCTION tax(money_t) RETURNS money_t LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'; COMMENT ON DOMAIN money_t IS 'm'`;

const ofEnum = `CREATE TABLE t (x e, g text GENERATED ALWAYS AS (CASE x WHEN 'a' THEN 'A' ELSE 'B' END) STORED); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.x = 'a') EXECUTE FUNCTION f(); CREATE POLICY po ON t USING (x = 'a'); CREATE INDEX t_x ON t ((x = 'a'))`;

const usesRows = `CREATE TYPE ct AS (t t, n int); CREATE TABLE u (id serial PRIMARY KEY, c t, cs t[], d ct, g int GENERATED ALWAYS AS (id * 2) STORED); CREATE INDEX u_c ON u (((c).b)); CREATE TABLE w (u int REFERENCES u); COMMENT ON COLUMN u.c IS 'cc'; GRANT SELECT ON u TO PUBLIC; CREATE VIEW v AS SELECT (c).b FROM u`;

const usesRange = `CREATE DOMAIN rd AS r CHECK (NOT isempty(VALUE)); CREATE TYPE rc AS (x r); CREATE TABLE u (id int PRIMARY KEY, c r DEFAULT r(1, 2), d rd, e rc, m rm, EXCLUDE USING gist (c WITH &&)); CREATE FUNCTION f(r) RETURNS int LANGUAGE sql AS 'SELECT 1'`;

const cases: RevisionCase[] = [
  {
    name: "enum values are added at the end and in the middle, without a rewrite",
    live: "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (m mood DEFAULT 'sad'); INSERT INTO t VALUES ('happy')",
    models:
      "CREATE TYPE mood AS ENUM ('sad', 'so-so', 'happy', 'elated'); CREATE TABLE t (m mood DEFAULT 'sad')",
    up: [/ADD VALUE 'so-so' BEFORE 'happy'/, /ADD VALUE 'elated'/],
    without: [/USING/],
    afterUp: { "SELECT m::text FROM t": ["happy"] },
  },
  {
    name: "an enum value is added and used as a default and in a partial index, in two files",
    live: "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (m mood DEFAULT 'sad'); INSERT INTO t VALUES ('happy')",
    models:
      "CREATE TYPE mood AS ENUM ('sad', 'happy', 'new'); CREATE TABLE t (m mood DEFAULT 'new'); CREATE INDEX t_m ON t (m) WHERE m = 'new'",
    up: [/ADD VALUE 'new'[\s\S]*-- migrate: up[\s\S]*DEFAULT 'new'/],
  },
  {
    name: "an enum value is removed under a default, an array column and a partial index",
    live: "CREATE TYPE mood AS ENUM ('sad', 'meh', 'happy'); CREATE TABLE t (m mood DEFAULT 'sad', a mood[] DEFAULT '{happy}'); CREATE INDEX t_m ON t (m) WHERE m = 'happy'; INSERT INTO t VALUES ('happy', '{sad,happy}')",
    models:
      "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (m mood DEFAULT 'sad', a mood[] DEFAULT '{happy}'); CREATE INDEX t_m ON t (m) WHERE m = 'happy'",
    afterUp: {
      "SELECT m::text || a::text FROM t": ["happy{sad,happy}"],
      "INSERT INTO t DEFAULT VALUES RETURNING m::text": ["sad"],
    },
  },
  {
    name: "an enum is renamed under a column",
    live: "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (m mood DEFAULT 'a'); INSERT INTO t VALUES ('b')",
    models: "CREATE TYPE feeling AS ENUM ('a', 'b'); CREATE TABLE t (m feeling DEFAULT 'a')",
    afterUp: { "SELECT m::text FROM t": ["b"] },
  },
  {
    name: "domains, composite and range types change",
    live: "CREATE DOMAIN d AS int CHECK (VALUE > 0); CREATE TYPE c AS (a int, b text); CREATE TABLE t (d d, c c); INSERT INTO t VALUES (5, (1, 'x'))",
    models:
      "CREATE DOMAIN d AS int DEFAULT 3 NOT NULL CONSTRAINT big CHECK (VALUE > 1); CREATE TYPE c AS (a int, z date); CREATE TYPE r AS RANGE (subtype = date, multirange_type_name = rs); CREATE TABLE t (d d, c c, r r); COMMENT ON DOMAIN d IS 'd'; COMMENT ON TYPE r IS 'r'",
    downDiffers: [],
  },
  {
    name: "a domain's base type changes under columns, arrays, a composite type, a function and a view",
    live: `${money("numeric(10,2)")}; INSERT INTO t VALUES (5, '{6}', ROW('s', 7)::item)`,
    models: money("bigint"),
    without: [/DATA LOSS: (table|column)/],
    afterUp: { "SELECT (p + ps[1] + (l).price + g)::int FROM t": [28] },
    afterDown: { "SELECT (p + ps[1] + (l).price + g)::int FROM t": [28] },
  },
  {
    name: "an attribute of a composite type in use gets another type, and a comment",
    live: "CREATE TYPE c AS (a int, b text); CREATE TABLE t (x c, y c[]); INSERT INTO t VALUES (ROW(1, 'x'), ARRAY[ROW(2, 'y')::c]); CREATE VIEW v AS SELECT x FROM t",
    models:
      "CREATE TYPE c AS (a bigint, b text); CREATE TABLE t (x c, y c[]); CREATE VIEW v AS SELECT x FROM t; COMMENT ON COLUMN c.a IS 'number'",
    afterUp: { "SELECT (x).a::int FROM v": [1], "SELECT (y[1]).b FROM t": ["y"] },
    afterDown: { "SELECT (x).a FROM v": [1] },
  },
  {
    name: "a table's columns come, go and change while another table uses its row type, deep in types too",
    live: `CREATE TABLE t (a int, b text, j jsonb, g int GENERATED ALWAYS AS (a + 1) STORED); ${usesRows}; INSERT INTO u (c, cs, d) VALUES (ROW(1, 'x', NULL, 2), ARRAY[ROW(2, 'y', '{"k": 1}', 3)::t], ROW(ROW(5, 'q', NULL, 6)::t, 3)), (NULL, '{}', NULL); INSERT INTO w VALUES (1)`,
    models: `CREATE TABLE t (b text, j jsonb, a bigint, n int DEFAULT 5, g bigint GENERATED ALWAYS AS (a + 1) STORED); ${usesRows}`,
    without: [/DATA LOSS/],
    afterUp: {
      "SELECT (c).a::int FROM u ORDER BY id": [1, null],
      "SELECT (cs[1]).j ->> 'k' FROM u ORDER BY id": ["1", null],
      "SELECT ((d).t).b FROM u ORDER BY id": ["q", null],
      "INSERT INTO u DEFAULT VALUES RETURNING id": [3],
    },
    afterDown: { "SELECT (c).a FROM u ORDER BY id": [1, null, null] },
  },
  {
    name: "a range type in use gets another subtype under a domain, a composite type, a default and a constraint",
    live: `CREATE TYPE r AS RANGE (subtype = int, multirange_type_name = rm); ${usesRange}; INSERT INTO u VALUES (1, r(1, 5), r(2, 3), ROW(r(7, 8)), rm(r(1, 2)))`,
    models: `CREATE TYPE r AS RANGE (subtype = bigint, multirange_type_name = rm); ${usesRange}`,
    without: [/DATA LOSS/],
    afterUp: { "SELECT (upper(c) + upper(d) + upper((e).x) + upper(m))::int FROM u": [18] },
    afterDown: { "SELECT upper(c) + upper(d) + upper((e).x) + upper(m) FROM u": [18] },
  },
  {
    name: "an enum loses a value that was the default of a table which is made again",
    live: "CREATE TYPE mood AS ENUM ('a', 'b', 'c'); CREATE TABLE log (m mood DEFAULT 'c', at date NOT NULL) PARTITION BY RANGE (at); CREATE TABLE log_1 PARTITION OF log DEFAULT; INSERT INTO log VALUES ('b', '2020-01-01')",
    models: "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE log (m mood DEFAULT 'a', at date NOT NULL)",
    down: [/ADD VALUE 'c'[\s\S]*one statement: the rows that are taken away come back/],
    without: [/DATA LOSS/],
    afterUp: { "SELECT m::text FROM log": ["b"] },
    afterDown: { "SELECT m::text FROM log": ["b"] },
  },
  {
    name: "values come to and go from enums under a domain and a composite type",
    live: "CREATE TYPE e AS ENUM ('a', 'b'); CREATE TYPE f AS ENUM ('x', 'y'); CREATE DOMAIN d AS f; CREATE TYPE c AS (e e); CREATE TABLE t (d d, c c); INSERT INTO t VALUES ('x', ROW('a'))",
    models:
      "CREATE TYPE e AS ENUM ('a', 'b', 'c'); CREATE TYPE f AS ENUM ('x'); CREATE DOMAIN d AS f; CREATE TYPE c AS (e e); CREATE TABLE t (d d, c c)",
    up: [/ALTER TYPE public\.e ADD VALUE 'c'/],
    afterUp: { "SELECT d::text || (c).e FROM t": ["xa"] },
    afterDown: { "SELECT d::text || (c).e FROM t": ["xa"] },
  },
  {
    name: "a column becomes an enum that the same revision makes, under a default, a check and an index",
    live: "CREATE TABLE t (s text NOT NULL DEFAULT 'open', a text[] DEFAULT '{}', CONSTRAINT t_s CHECK (s IN ('open', 'shut'))); CREATE INDEX t_i ON t (s) WHERE s <> 'shut'; INSERT INTO t DEFAULT VALUES",
    models:
      "CREATE TYPE st AS ENUM ('open', 'shut', 'gone'); CREATE TABLE t (s st NOT NULL DEFAULT 'open', a st[] DEFAULT '{}', CONSTRAINT t_s CHECK (s IN ('open', 'shut'))); CREATE INDEX t_i ON t (s) WHERE s <> 'shut'",
    up: [/FAILS where a value of public\.t\.s does not fit public\.st/],
    afterUp: {
      "SELECT s::text FROM t": ["open"],
      "INSERT INTO t DEFAULT VALUES RETURNING s::text": ["open"],
    },
  },
  {
    name: "an enum value that goes names the rows that must change first",
    live: "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE t (m m)",
    models: "CREATE TYPE m AS ENUM ('a'); CREATE TABLE t (m m)",
    up: [/FAILS where public\.t\.m holds 'b': change those rows first/],
  },
  {
    name: "columns of a multirange type, and identities with bounds on columns that get another type",
    live: "CREATE TABLE t (a int NOT NULL, b smallserial); INSERT INTO t VALUES (4)",
    models:
      "CREATE TYPE r AS RANGE (subtype = float8, multirange_type_name = rs); CREATE TABLE t (a int GENERATED BY DEFAULT AS IDENTITY (START 5 INCREMENT 2 CYCLE), b int GENERATED ALWAYS AS IDENTITY (MAXVALUE 900000)); CREATE TABLE u (r r, rs rs)",
    afterUp: { "INSERT INTO t DEFAULT VALUES RETURNING a + b": [7] },
  },
  {
    name: "a second revision is empty whatever way expressions are written",
    live: "SELECT 1",
    models: `CREATE TABLE t (a varchar(10) CHECK (a IN ('x', 'y', 'z')), i interval DEFAULT '1 day 02:00'::interval, n numeric(10,2) DEFAULT 1.50 CHECK (n BETWEEN 0 AND 9.99), at timestamptz DEFAULT (now() AT TIME ZONE 'utc'), j jsonb DEFAULT '{"a": [1, 2]}', v text DEFAULT 'it''s ' || 'here', arr int[] DEFAULT ARRAY[1, 2], b bit(3) DEFAULT B'101', CONSTRAINT odd CHECK ((n > 0 OR a IS NULL) AND NOT (a LIKE 'q%')));
      CREATE INDEX t_p ON t (lower(a)) WHERE a IN ('x', 'y') AND n IS NOT NULL; CREATE INDEX t_ts ON t USING gin (to_tsvector('english', coalesce(a, '') || ' ' || v));
      CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NEW; END $f$;
      CREATE TRIGGER tr BEFORE UPDATE OF a, n ON t FOR EACH ROW WHEN (OLD.a IS DISTINCT FROM NEW.a AND NEW.n > 1) EXECUTE FUNCTION f()`,
  },
  {
    name: "sequences of all sorts, and a serial's type",
    live: "CREATE SEQUENCE s; CREATE TABLE t (a serial, b int GENERATED ALWAYS AS IDENTITY (START 10)); INSERT INTO t DEFAULT VALUES",
    models:
      "CREATE SEQUENCE s AS smallint INCREMENT 5 MAXVALUE 500 START 10 CACHE 3 CYCLE; CREATE TABLE t (a bigserial, b bigint GENERATED BY DEFAULT AS IDENTITY (START 10 INCREMENT 2)); CREATE SEQUENCE o OWNED BY t.a",
    afterUp: { "INSERT INTO t DEFAULT VALUES RETURNING a::int": [2] },
  },
  {
    name: "a sequence and an identity get a minimum above their value, and one that is further on keeps it",
    live: "CREATE SEQUENCE s; CREATE SEQUENCE u; SELECT setval('u', 700); CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY)",
    models:
      "CREATE SEQUENCE s MINVALUE 100 START 100; CREATE SEQUENCE u MINVALUE 100 START 100; CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY (MINVALUE 500 START 500))",
    afterUp: { "SELECT nextval('s')::int UNION ALL SELECT nextval('u')::int": [100, 701] },
  },
  {
    name: "an enum value comes back beside functions that name each other, in a script without one transaction",
    live: "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE t (m m DEFAULT 'b'); SET check_function_bodies = off; CREATE FUNCTION a() RETURNS int LANGUAGE sql AS 'SELECT z()'; CREATE FUNCTION z() RETURNS int LANGUAGE sql AS 'SELECT 1'; RESET check_function_bodies",
    models: "CREATE TYPE m AS ENUM ('a'); CREATE TABLE t (m m DEFAULT 'a')",
    down: [/transaction=off[\s\S]*^SET check_function_bodies = off;$[\s\S]*^RESET check_function_bodies;$/m],
  },
  {
    name: "bodies are checked in the file that makes no routine",
    live: "CREATE TYPE m AS ENUM ('a'); CREATE TABLE t (m m); CREATE FUNCTION f() RETURNS m LANGUAGE sql AS $$ SELECT 'a'::m $$",
    models:
      "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE t (m m DEFAULT 'b'); CREATE FUNCTION f() RETURNS m LANGUAGE sql AS $$ SELECT 'b'::m $$",
    up: [
      /^-- migrate: up\s+ALTER TYPE/,
      /SET LOCAL check_function_bodies = off;[\s\S]*CREATE OR REPLACE FUNCTION/,
    ],
  },
  {
    name: "a collation of one's own",
    live: "SELECT 1",
    models:
      "CREATE COLLATION mine (provider = icu, locale = 'de'); CREATE TABLE t (a text COLLATE mine); CREATE INDEX t_a ON t (a COLLATE \"C\")",
  },
  {
    name: "a collation changes under a column, a domain and an index",
    live: "CREATE COLLATION mine (provider = icu, locale = 'de'); CREATE DOMAIN d AS text COLLATE mine; CREATE TABLE t (a text COLLATE mine, b text, c d); CREATE INDEX t_b ON t (b COLLATE mine); INSERT INTO t VALUES ('x', 'y', 'z')",
    models:
      "CREATE COLLATION mine (provider = icu, locale = 'fr'); CREATE DOMAIN d AS text COLLATE mine; CREATE TABLE t (a text COLLATE mine, b text, c d); CREATE INDEX t_b ON t (b COLLATE mine)",
    without: [/DATA LOSS/],
    afterUp: { "SELECT a || b || c FROM t": ["xyz"] },
  },
  {
    name: "an enum loses a value under a generated column, a trigger, a policy and an index",
    live: `CREATE TYPE e AS ENUM ('a', 'b', 'c'); ${ofEnum}; INSERT INTO t VALUES ('a')`,
    models: `CREATE TYPE e AS ENUM ('a', 'b'); ${ofEnum}`,
    afterUp: { "SELECT g FROM t": ["A"] },
  },
];

testCases(cases);
