// The order of columns is the models' in every table that a migration creates, in both directions.
import { testCases } from "../support/revision.ts";

/** Every column of these tables stands where the alphabet puts it. */
const constructions = `
  CREATE SCHEMA s; CREATE EXTENSION postgres_fdw; CREATE EXTENSION citext;
  CREATE TYPE kind AS ENUM ('a', 'b'); CREATE TYPE "Odd, (name" AS ENUM ('x)', 'y,');
  CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%'); CREATE DOMAIN s.positive AS int CHECK (VALUE > 0);
  CREATE TYPE point3 AS (x int, y int, z int); CREATE TYPE span AS RANGE (subtype = numeric);
  CREATE COLLATION german (locale = 'C', provider = libc);
  CREATE FUNCTION code() RETURNS text LANGUAGE sql AS $$ SELECT 'c' $$;
  CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT $1 * 2 $$;
  CREATE SEQUENCE numbers;

  CREATE TABLE t_enum (a int PRIMARY KEY, b kind NOT NULL, c text);
  CREATE TABLE t_odd (a "Odd, (name" DEFAULT 'y,', b text DEFAULT 'x, ('')', c int);
  CREATE TABLE t_enum_default (a int, b kind DEFAULT 'a', c text, d kind[] DEFAULT '{a}', e int);
  CREATE TABLE t_domain (a mail, b int, c s.positive NOT NULL, d text, e mail[]);
  CREATE TABLE t_composite (a point3, b int, c point3[], d text);
  CREATE TABLE t_range (a int, b span, c text, d span_multirange, e int, EXCLUDE USING gist (b WITH &&));
  CREATE TABLE t_row (a int, b t_enum, c text, d t_composite[], e int);
  CREATE TABLE t_function (a int, b text DEFAULT code(), c int NOT NULL, d int DEFAULT twice(2), e int);
  CREATE TABLE t_collation (a text, b text COLLATE german, c text);
  CREATE TABLE t_generated (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text, d int GENERATED ALWAYS AS (twice(a)) STORED,
    e text GENERATED ALWAYS AS (upper(c)) STORED, f int);
  CREATE TABLE t_early (a int GENERATED ALWAYS AS (b + 1) STORED, b int, c int);
  CREATE TABLE t_identity (a int GENERATED ALWAYS AS IDENTITY, b kind, c int DEFAULT nextval('numbers'), d serial, e int);
  CREATE TABLE t_checked (a int, b kind CHECK (b <> 'b'), c int CHECK (twice(c) > 0), d kind UNIQUE, e int, PRIMARY KEY (b, e));
  CREATE TABLE t_extension (a citext, b int, c citext[], d text);
  CREATE TABLE t_parent (a int, b kind, c text);
  CREATE TABLE t_child (d kind, e int, f text DEFAULT code(), g int GENERATED ALWAYS AS (e + 1) STORED, h int) INHERITS (t_parent);
  CREATE TABLE t_shared (b kind DEFAULT 'b', d text) INHERITS (t_parent);
  CREATE TABLE t_second (e kind, f int);
  CREATE TABLE t_both (g kind) INHERITS (t_shared, t_second);
  CREATE UNLOGGED TABLE t_unlogged (a int, b kind, c int);
  CREATE TABLE t_partitioned (a kind DEFAULT 'a', b date NOT NULL, c int GENERATED ALWAYS AS (d + 1) STORED, d int DEFAULT twice(3), e kind)
    PARTITION BY LIST (a);
  CREATE TABLE t_part PARTITION OF t_partitioned FOR VALUES IN ('a') PARTITION BY RANGE (b);
  CREATE TABLE t_leaf PARTITION OF t_part DEFAULT;
  CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw;
  CREATE FOREIGN TABLE t_foreign (a int, b kind OPTIONS (column_name 'k'), c text DEFAULT code(), d mail NOT NULL, e int) SERVER there;
  CREATE TABLE s.t_other (a s.positive, b int REFERENCES t_enum, c kind, d s.positive);
  CREATE FUNCTION rows_of() RETURNS SETOF t_enum LANGUAGE sql AS $$ SELECT * FROM t_enum $$;
  CREATE VIEW v AS SELECT * FROM t_generated;`;

/** The tables whose columns stand elsewhere. */
const wrong = `SELECT attrelid::regclass::text FROM pg_attribute WHERE attrelid >= 16384 AND attnum > 0
  AND attrelid IN (SELECT oid FROM pg_class WHERE relname LIKE 't\\_%' AND relkind IN ('r', 'p', 'f'))
  GROUP BY 1 HAVING array_agg(attname ORDER BY attnum) <> array_agg(attname ORDER BY attname)`;

const some = "SELECT (count(*) > 20)::text FROM pg_class WHERE relname LIKE 't\\_%'";

testCases([
  {
    name: "each table of the models is created whole, with its columns in their order",
    live: "",
    models: constructions,
    without: [/ADD COLUMN/, /ADD CONSTRAINT t_\w+_(pkey|key|check)/],
    up: [
      /CREATE TYPE public.kind[\s\S]*CREATE OR REPLACE FUNCTION public.code[\s\S]*CREATE TABLE public.t_enum/,
      /CREATE TABLE public.t_enum \(\s+a integer +NOT NULL,\s+b public.kind NOT NULL,\s+c text,\s+CONSTRAINT t_enum_pkey PRIMARY KEY \(a\)\s+\)/,
    ],
    afterUp: { [wrong]: [], [some]: ["true"] },
  },
  {
    name: "each table of the database comes back whole, with its columns in their order",
    live: constructions,
    models: "",
    afterDown: { [wrong]: [], [some]: ["true"] },
  },
  {
    name: "columns of a table that lost some stand in their order when it comes back",
    live: "CREATE TYPE k AS ENUM ('a'); CREATE TABLE t_a (x int, a k, y int, b int, c k); ALTER TABLE t_a DROP x, DROP y, ADD d k",
    models: "CREATE TYPE k AS ENUM ('a')",
    afterDown: { [wrong]: [] },
  },
  {
    name: "a column follows its table where its default needs the table, and the columns behind it too",
    live: "",
    models: `CREATE TYPE k AS ENUM ('a'); CREATE TABLE t_c (a int, b k);
      CREATE FUNCTION count_of(t_c[]) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
      ALTER TABLE t_c ADD c int DEFAULT count_of(NULL), ADD d int CHECK (d > 0), ADD e k, ADD f int UNIQUE`,
    up: [
      /-- c follows its table[^\n]*\n(?:-- .*\n)*ALTER TABLE public.t_c\s+ADD COLUMN c /,
      /CREATE TABLE public.t_c \(\s+a integer,\s+b public.k\s+\)/,
    ],
    afterUp: { [wrong]: [], "INSERT INTO t_c VALUES (1, 'a', 2, 3, 'a', 4) RETURNING f": [4] },
  },
  {
    name: "two tables whose columns need functions of each other",
    live: "",
    models: `CREATE TABLE t_a (a int); CREATE TABLE t_b (a int);
      CREATE FUNCTION of_a(t_a) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE FUNCTION of_b(t_b) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2';
      ALTER TABLE t_a ADD b int DEFAULT of_b(NULL), ADD c int; ALTER TABLE t_b ADD b int DEFAULT of_a(NULL), ADD c int`,
    afterUp: { [wrong]: [] },
  },
  {
    name: "a column in the middle of the models' table comes last, and that is said",
    live: "CREATE TABLE o (a int, b int); CREATE TABLE p (a int, b int)",
    models: "CREATE TABLE o (a int, x int, b int); CREATE TABLE p (a int, b int, x int)",
    hints: [/^the columns of public\.o stay in another order than the models': a, b, x instead of a, x, b/m],
    withoutHints: [/public\.p/],
  },
]);
