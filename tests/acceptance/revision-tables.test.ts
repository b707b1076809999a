import { type RevisionCase, testCases } from "../support/revision.ts";

const audit = `CREATE TABLE seen (a int); CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.a); RETURN NEW; END'; CREATE TRIGGER see AFTER INSERT ON s FOR EACH ROW EXECUTE FUNCTION see()`;

const cases: RevisionCase[] = [
  {
    name: "a NOT NULL column that is dropped comes back to a table with rows",
    live: "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, b int NOT NULL REFERENCES t, c timestamptz NOT NULL); INSERT INTO t VALUES (1, 'x', 1, now())",
    models: "CREATE TABLE t (id int PRIMARY KEY)",
    up: [/DATA LOSS: column public\.t\.a/],
    down: [/ADD COLUMN a text DEFAULT '' NOT NULL/, /ADD COLUMN b integer;/],
    afterDown: { "SELECT a FROM t": [""], "SELECT b FROM t": [null] },
    downDiffers: [/^table public\.t differs: found "b integer", expected "b integer NOT NULL"$/],
  },
  {
    name: "a NOT NULL column without a default says that it fails where there are rows",
    live: "CREATE TABLE t (id int)",
    models: "CREATE TABLE t (id int, a text NOT NULL)",
    up: [/^-- FAILS where public\.t holds rows: give a a DEFAULT, or add it nullable and fill it first$/m],
  },
  {
    name: "what rows may refuse is said of each statement that they can make fail",
    live: "CREATE TABLE t (a int, b int, c int, d int)",
    models:
      "CREATE TABLE t (a int NOT NULL, b int UNIQUE, c int CHECK (c > 0), d int REFERENCES t (b)); CREATE UNIQUE INDEX t_a ON t (a)",
    up: [
      /nobody can read or write it; FAILS where public\.t\.a holds NULL: fill those rows first$/m,
      /\(see CONCURRENTLY\); FAILS where two rows have the same values\nCREATE UNIQUE INDEX/,
      /read or write it; FAILS where two rows have the same values\nALTER TABLE public\.t\n {2}ADD CONSTRAINT t_b_key/,
      /FAILS where a row does not meet it$/m,
      /FAILS where a row refers to nothing$/m,
    ],
  },
  {
    name: "comments say what a server locks, reads and rewrites",
    live: "CREATE TABLE t (id int, a timestamptz(3), n varchar(10)); INSERT INTO t VALUES (1)",
    models:
      "CREATE TABLE t (id bigint CHECK (id > 0), a timestamptz, n varchar(20), u uuid DEFAULT gen_random_uuid(), s int DEFAULT 0, EXCLUDE (id WITH =))",
    up: [
      /LONG LOCK: every row of public\.t is rewritten while nobody can read or write it\nALTER TABLE public\.t\s+ADD COLUMN u uuid/,
      /LONG LOCK: every row of public\.t is rewritten while nobody can read or write it\nALTER TABLE public\.t\s+ALTER COLUMN id TYPE/,
      /LONG LOCK: every row of public\.t is read while nobody can read or write it; FAILS where a row does not meet it\nALTER TABLE public\.t\s+ADD CONSTRAINT t_id_check/,
      /LONG LOCK: an index of public\.t is built while nobody can read or write it; FAILS where two rows exclude each other\n/,
    ],
    without: [/--[^\n]*\nALTER TABLE public\.t\s+(?:ALTER COLUMN [an] TYPE|ADD COLUMN s)/],
  },
  {
    name: "a constraint that every row meets says nothing of rows that refuse it",
    live: "CREATE TABLE u (id int PRIMARY KEY, a int, b text); CREATE UNIQUE INDEX u_a ON u (a)",
    models:
      "CREATE TABLE u (id int PRIMARY KEY, a int, b text, c int REFERENCES u UNIQUE, d serial UNIQUE, UNIQUE (a, b), e text NOT NULL DEFAULT '' UNIQUE)",
    up: [
      /write to it\nALTER TABLE public\.u\s+ADD CONSTRAINT u_c_fkey/,
      /read or write it\nALTER TABLE public\.u\s+ADD CONSTRAINT u_c_key/,
      /read or write it\nALTER TABLE public\.u\s+ADD CONSTRAINT u_d_key/,
      /read or write it\nALTER TABLE public\.u\s+ADD CONSTRAINT u_a_b_key/,
      /FAILS where two rows have the same values\nALTER TABLE public\.u\s+ADD CONSTRAINT u_e_key/,
    ],
    down: [/FAILS where two rows have the same values\nCREATE UNIQUE INDEX u_a /],
  },
  {
    name: "tables that refer to each other become unlogged, and logged again, in an order that PostgreSQL takes",
    live: "CREATE TABLE a (id int PRIMARY KEY, self int REFERENCES a); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a); CREATE TABLE aa (b int REFERENCES b); INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (2, 1)",
    models:
      "CREATE UNLOGGED TABLE a (id int PRIMARY KEY, self int REFERENCES a); CREATE UNLOGGED TABLE b (id int PRIMARY KEY, a int REFERENCES a); CREATE UNLOGGED TABLE aa (b int REFERENCES b)",
    up: [/aa\s+SET UNLOGGED;[\s\S]*b\s+SET UNLOGGED;[\s\S]*a\s+SET UNLOGGED;/],
    afterUp: { "SELECT a FROM b": [1] },
    afterDown: { "SELECT a FROM b": [1] },
  },
  {
    name: "a serial of an unlogged table has an unlogged sequence",
    live: "CREATE UNLOGGED TABLE t (a int); CREATE TABLE w (id serial, a int); CREATE UNLOGGED TABLE x (id serial, a int); INSERT INTO w (a) VALUES (1); INSERT INTO x (a) VALUES (1)",
    models:
      "CREATE UNLOGGED TABLE t (a int, n serial); CREATE UNLOGGED TABLE u (id bigserial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY); CREATE UNLOGGED TABLE w (id serial, a int); CREATE TABLE x (id serial, a int)",
    up: [/^CREATE UNLOGGED SEQUENCE public\.t_n_seq AS integer;$/m],
    afterUp: {
      "INSERT INTO w (a) VALUES (2) RETURNING id": [2],
      "INSERT INTO x (a) VALUES (2) RETURNING id": [2],
    },
    afterDown: { "INSERT INTO x (a) VALUES (3) RETURNING id": [3] },
  },
  {
    name: "a table has two keys on the same columns, and another takes its name, its sequence and its key's name",
    live: "CREATE TABLE t (id serial CONSTRAINT k PRIMARY KEY, a text); ALTER TABLE t ADD CONSTRAINT u UNIQUE (id), ADD CONSTRAINT w UNIQUE (id); CREATE INDEX i ON t (a); INSERT INTO t (a) VALUES ('x'), ('y')",
    models:
      "CREATE TABLE s (id serial CONSTRAINT k PRIMARY KEY, b text); ALTER SEQUENCE s_id_seq RENAME TO t_id_seq; ALTER TABLE s ADD CONSTRAINT u UNIQUE (id), ADD CONSTRAINT w UNIQUE (id); CREATE INDEX i ON s (b)",
    up: [/DATA LOSS: table public\.t$/m],
    afterUp: { "INSERT INTO s DEFAULT VALUES RETURNING id": [3] },
  },
  {
    name: "a foreign key stands on one of several equal keys, and any of them may go",
    live: "CREATE TABLE a (p int, q int, r int CONSTRAINT z UNIQUE, CONSTRAINT y UNIQUE (p, q)); ALTER TABLE a ADD CONSTRAINT x UNIQUE (q, p), ADD CONSTRAINT k PRIMARY KEY (r); CREATE UNIQUE INDEX c ON a (p, q); CREATE TABLE b (p int, q int, r int CONSTRAINT g REFERENCES a (r), CONSTRAINT f FOREIGN KEY (p, q) REFERENCES a (p, q)); INSERT INTO a VALUES (1, 2, 3); INSERT INTO b VALUES (1, 2, 3)",
    models:
      "CREATE TABLE a (p int CONSTRAINT k PRIMARY KEY, q int, r int NOT NULL, CONSTRAINT x UNIQUE (q, p)); CREATE TABLE b (p int, q int, r int, CONSTRAINT f FOREIGN KEY (p, q) REFERENCES a (p, q))",
    afterUp: { "SELECT p + q + r FROM b": [6] },
    afterDown: { "SELECT p + q + r FROM b": [6] },
  },
  {
    name: "a rename is pointed out where names are alike, or nothing else of the type can be meant",
    live: "CREATE TABLE t (id int, mail_address text, data json, total int); CREATE TABLE u (id int, colour text); CREATE TABLE money_box (id int, created timestamp, updated timestamp, a int)",
    models:
      "CREATE TABLE t (id int, address text, state varchar(9), zip int, k int); CREATE TABLE u (id int, shade text, n int); CREATE TABLE service_zone (id int, created timestamp, updated timestamp, b int)",
    up: [
      /-- To consider:\n-- {3}public\.t\.mail_address and public\.t\.address look alike: .*\n-- {3}public\.u\.colour and .*\n\n/,
    ],
  },
  {
    name: "columns stand below each other, quotes or not, a type's name is on one line, and a sequence has no usual options",
    live: "",
    models:
      "CREATE TABLE t (id int NOT NULL, \"createdAt\" int NOT NULL); CREATE SEQUENCE s AS int INCREMENT 3 START 5 CYCLE; CREATE SEQUENCE r INCREMENT -1 MAXVALUE 9; CREATE SEQUENCE q MINVALUE 7; CREATE TABLE u (a varchar CHECK (a IN ('a value', 'another value', 'a third value', 'a fourth value')))",
    up: [
      /^ {2}id {10}integer NOT NULL,\n {2}"createdAt" integer NOT NULL$/m,
      /varying(?![\s\S]*character\n)/,
    ],
  },
  {
    name: "tables go by a statement each, those that refer to others first, and come back with plain sequences",
    live: "CREATE TABLE a (id serial PRIMARY KEY, self int REFERENCES a); CREATE TABLE b (id bigserial PRIMARY KEY, a int REFERENCES a, d int); CREATE TABLE c (b bigint REFERENCES b, a int REFERENCES a); CREATE TABLE d (id int PRIMARY KEY, b bigint REFERENCES b); ALTER TABLE b ADD CONSTRAINT b_d FOREIGN KEY (d) REFERENCES d; CREATE TABLE e (a int REFERENCES a); CREATE TABLE p (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE g (a int REFERENCES p)",
    models: "CREATE TABLE e (a int)",
    up: [/(DROP TABLE public\.\w+;\s+(-- .*\s+)?){4,}$/],
    without: [/DROP CONSTRAINT (?!b_d|e_a_fkey|g_a_fkey)/],
    down: [/^CREATE SEQUENCE public\.a_id_seq AS integer;$/m, /^CREATE SEQUENCE public\.b_id_seq;$/m],
  },
  {
    name: "a type that only gets wider warns of nothing on its way",
    live: "CREATE TABLE t (a varchar(10), b numeric(10,2), c numeric(9,3), d varchar, e numeric(10,2)); INSERT INTO t VALUES ('a', 1.5, 2, 'd', 3)",
    models: "CREATE TABLE t (a varchar(20), b numeric(12,2), c numeric, d text, e numeric(12,3))",
    up: [
      /^-- migrate: up\s+ALTER TABLE public\.t\s+(?:ALTER COLUMN [abcd] TYPE (?:[^;,]|\d,\d)*[,;]\s+){4}-- FAILS where a value of public\.t\.e /,
    ],
    down: [/FAILS where a value of public\.t\.a .*\n-- LONG LOCK/, /FAILS where a value of public\.t\.b /],
    afterUp: { "SELECT concat_ws(' ', a, b, c, d, e) FROM t": ["a 1.50 2.000 d 3.000"] },
    afterDown: { "SELECT concat_ws(' ', a, b, c, d, e) FROM t": ["a 1.50 2.000 d 3.00"] },
  },
  {
    name: "a serial becomes an identity on a filled table, and the next row gets the next number",
    live: "CREATE TABLE t (id serial PRIMARY KEY, a text); INSERT INTO t (a) VALUES ('x'), ('y'), ('z')",
    models: "CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a text)",
    afterUp: { "INSERT INTO t (a) VALUES ('w') RETURNING id": [4] },
    afterDown: { "INSERT INTO t (a) VALUES ('v') RETURNING id": [5] },
  },
  {
    name: "a primary key is renamed under foreign keys",
    live: "CREATE TABLE a (id int CONSTRAINT a_old PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
    models: "CREATE TABLE a (id int CONSTRAINT a_new PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a)",
    up: [/RENAME CONSTRAINT a_old TO a_new/],
    without: [/DROP/],
  },
  {
    name: "a column and its table keep their rows by --rename, with an index, a view and another type",
    live: "CREATE TABLE users (id serial PRIMARY KEY, email varchar(50) NOT NULL UNIQUE); CREATE VIEW v AS SELECT email FROM users; INSERT INTO users (email) VALUES ('a@b')",
    models:
      "CREATE TABLE people (id serial PRIMARY KEY, mail text NOT NULL UNIQUE); CREATE VIEW v AS SELECT mail FROM people",
    rename: ["users=people", "users.email=mail"],
    without: [/DATA LOSS: (table|column)/],
    afterUp: {
      "SELECT id || mail FROM people": ["1a@b"],
      "INSERT INTO people (mail) VALUES ('c') RETURNING id": [2],
    },
    afterDown: { "SELECT id || email FROM users": ["1a@b", "2c"] },
  },
  {
    name: "a table with a serial is renamed, and nothing but names changes",
    live: "CREATE TABLE zeta (id serial PRIMARY KEY, a int CHECK (a > 0)); CREATE INDEX zeta_a_idx ON zeta (a); CREATE TABLE c (z int REFERENCES zeta); INSERT INTO zeta (a) VALUES (1), (2); DELETE FROM zeta WHERE id = 2",
    models:
      "CREATE TABLE alpha (id serial PRIMARY KEY, a int CHECK (a > 0)); CREATE INDEX alpha_a_idx ON alpha (a); CREATE TABLE c (z int REFERENCES alpha)",
    rename: ["zeta=alpha"],
    without: [/DROP|CREATE|setval/],
    afterUp: { "INSERT INTO alpha (a) VALUES (3) RETURNING id": [3] },
  },
  {
    name: "names go round: an index takes a dropped table's name, a key the index's, and a routine stands on a column that changes",
    live: "CREATE TABLE t (a int, b int, CONSTRAINT x UNIQUE (a)); CREATE INDEX y ON t (b); CREATE TABLE z (q int); CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT b FROM t; END; CREATE VIEW v AS SELECT f()",
    models:
      "CREATE TABLE t (a int, b smallint, CONSTRAINT y UNIQUE (a)); CREATE INDEX z ON t (b); CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT b FROM t; END; CREATE VIEW v AS SELECT f()",
    up: [/RENAME CONSTRAINT x TO y/, /ALTER INDEX public\.y RENAME TO z/],
  },
  {
    name: "an index is renamed",
    live: "CREATE TABLE a (id int); CREATE INDEX a_old ON a (id)",
    models: "CREATE TABLE a (id int); CREATE INDEX a_new ON a (id)",
    up: [/ALTER INDEX public\.a_old RENAME TO a_new/],
    without: [/DROP|CREATE/],
  },
  {
    name: "a table made under the name that another had before takes the names of keys and sequences",
    live: "CREATE TABLE old (id serial PRIMARY KEY, a text); ALTER TABLE old RENAME TO new; INSERT INTO new (a) VALUES ('x')",
    models:
      "CREATE TABLE new (id serial PRIMARY KEY, a text); CREATE TABLE old (id serial PRIMARY KEY, b text)",
    without: [/DROP/],
    afterUp: { "INSERT INTO new (a) VALUES ('y') RETURNING id": [2] },
  },
  {
    name: "tables that refer to each other come and go",
    live: "SELECT 1",
    models:
      "CREATE TABLE a (id int PRIMARY KEY, b_id int); CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a); ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b DEFERRABLE INITIALLY DEFERRED",
  },
  {
    name: "names with capitals, dots, quotes, spaces, other scripts and reserved words are quoted both ways",
    live: `CREATE SCHEMA "Odd Schema"; CREATE TABLE "Odd Schema"."a.b""c" (id int PRIMARY KEY, "select" int NOT NULL, "größe" text); INSERT INTO "Odd Schema"."a.b""c" VALUES (1, 2, 'x')`,
    models: `CREATE SCHEMA "Odd Schema"; CREATE TABLE "Odd Schema"."a.b""c" (id int PRIMARY KEY, "größe" varchar(20)); CREATE TABLE "user" ("order" serial PRIMARY KEY, "Group" int); CREATE INDEX "日本" ON "user" ("Group"); COMMENT ON COLUMN "user"."order" IS 'it''s "it"'`,
  },
  {
    name: "storage, compression, statistics targets, fill factors and clustering are seen",
    live: "CREATE TABLE t (id int PRIMARY KEY, a text, b text) WITH (fillfactor = 70)",
    models:
      "CREATE TABLE t (id int PRIMARY KEY, a text, b text) WITH (fillfactor = 90, toast.autovacuum_enabled = false); ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER b SET COMPRESSION pglz, ALTER b SET STATISTICS 500, ALTER b SET (n_distinct = 5); ALTER TABLE t CLUSTER ON t_pkey",
  },
  {
    name: "generated columns and collations",
    live: "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text); INSERT INTO t (a) VALUES (1)",
    models:
      'CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 3) STORED, c text COLLATE "C", d text COLLATE "POSIX" DEFAULT \'x\')',
    afterUp: { "SELECT b FROM t": [3] },
    afterDown: { "SELECT b FROM t": [2] },
  },
  {
    name: "constraints of all kinds, NOT VALID and deferrable ones too",
    live: "CREATE TABLE a (id int PRIMARY KEY, r int4range, x int, y int); CREATE TABLE b (a_id int); INSERT INTO b VALUES (7)",
    models:
      "CREATE TABLE a (id int PRIMARY KEY, r int4range, x int, y int, CONSTRAINT a_x CHECK (x > 0) NO INHERIT, CONSTRAINT a_xy UNIQUE (x) INCLUDE (y) DEFERRABLE INITIALLY DEFERRED, EXCLUDE USING gist (r WITH &&) WHERE (x > 0)); CREATE TABLE b (a_id int); ALTER TABLE b ADD CONSTRAINT b_a FOREIGN KEY (a_id) REFERENCES a ON DELETE SET NULL NOT VALID; ALTER TABLE b ADD CONSTRAINT b_c CHECK (a_id > 10) NOT VALID; ALTER TABLE b ADD CONSTRAINT b_u UNIQUE NULLS NOT DISTINCT (a_id)",
  },
  {
    name: "indexes of all kinds",
    live: "CREATE TABLE t (id int, a text, j jsonb, v tsvector); CREATE INDEX t_a ON t (a)",
    models:
      "CREATE TABLE t (id int, a text, j jsonb, v tsvector); CREATE INDEX t_a ON t (a DESC NULLS LAST) INCLUDE (id) WHERE a <> ''; CREATE INDEX t_l ON t (lower(a) text_pattern_ops); CREATE INDEX t_j ON t USING gin (j jsonb_path_ops) WITH (fastupdate = off); CREATE INDEX t_v ON t USING gist (v); CREATE INDEX t_h ON t USING hash (a); CREATE INDEX t_b ON t USING brin (id) WITH (pages_per_range = 4); CREATE UNIQUE INDEX t_u ON t (id) NULLS NOT DISTINCT; COMMENT ON INDEX t_u IS 'u'; ALTER INDEX t_l ALTER COLUMN 1 SET STATISTICS 300",
  },
  {
    name: "partitions, their indexes and a trigger on one of them",
    live: "CREATE TABLE p (id int, at date) PARTITION BY RANGE (at); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); INSERT INTO p VALUES (1, '2020-05-05')",
    models:
      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE p (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (id); CREATE TABLE p2a PARTITION OF p2 DEFAULT; CREATE INDEX p_at ON p (at); CREATE TRIGGER tr BEFORE INSERT ON p1 FOR EACH ROW EXECUTE FUNCTION f(); CREATE TRIGGER tp AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f()",
  },
  {
    name: "inheritance, also from two parents, unlogged tables and tables of a type",
    live: "CREATE TABLE a (id int); CREATE TABLE b (x int); CREATE TYPE ty AS (u int, v text); CREATE TABLE l (id int)",
    models:
      "CREATE TABLE a (id int); CREATE TABLE b (x int); CREATE TABLE c (z int) INHERITS (a, b); CREATE TYPE ty AS (u int, v text); CREATE TABLE d OF ty (PRIMARY KEY (u)); CREATE UNLOGGED TABLE l (id int)",
  },
  {
    name: "a child gets a second parent, or declares what it inherits, and keeps its rows under keys, rules and policies",
    live: "CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY, x int); CREATE TABLE b (y int DEFAULT 4); CREATE TABLE c (k int PRIMARY KEY) INHERITS (a); CREATE TABLE d (z int) INHERITS (c); INSERT INTO c (id, x, k) VALUES (7, 2, 1); INSERT INTO d (id, x, k, z) VALUES (8, 3, 2, 9); CREATE TABLE f (c int REFERENCES c); INSERT INTO f VALUES (1); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.x = 99; RETURN NEW; END'; CREATE TRIGGER tr BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION tf(); ALTER TABLE c ENABLE ROW LEVEL SECURITY; ALTER TABLE c FORCE ROW LEVEL SECURITY; CREATE POLICY po ON c USING (false); CREATE RULE ru AS ON INSERT TO d DO INSTEAD NOTHING; CREATE TABLE l (z int, id int GENERATED ALWAYS AS IDENTITY) INHERITS (b); INSERT INTO l VALUES (5, 6)",
    models:
      "CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY, x int); CREATE TABLE b (y int DEFAULT 4); CREATE TABLE c (k int PRIMARY KEY) INHERITS (a, b); CREATE TABLE d (z int) INHERITS (c); CREATE TABLE f (c int REFERENCES c); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.x = 99; RETURN NEW; END'; CREATE TRIGGER tr BEFORE INSERT ON c FOR EACH ROW EXECUTE FUNCTION tf(); ALTER TABLE c ENABLE ROW LEVEL SECURITY; ALTER TABLE c FORCE ROW LEVEL SECURITY; CREATE POLICY po ON c USING (false); CREATE RULE ru AS ON INSERT TO d DO INSTEAD NOTHING; CREATE TABLE l (y int, z int, id int GENERATED ALWAYS AS IDENTITY) INHERITS (b)",
    up: [/LONG LOCK: the rows of public\.c are taken away and come back/],
    without: [/DATA LOSS/],
    afterUp: {
      "SELECT x FROM ONLY c": [2],
      "SELECT x + z + y FROM d": [16],
      "INSERT INTO l (y, z) VALUES (0, 0) RETURNING id": [2],
    },
    afterDown: { "SELECT x FROM ONLY c": [2], "SELECT x + z FROM d": [12], "SELECT y + z FROM l": [11, 0] },
  },
  {
    name: "tables move below others and away from them with their rows",
    live: "CREATE TABLE p (a int PRIMARY KEY, b text) PARTITION BY RANGE (a); CREATE TABLE c (a int NOT NULL, b text); CREATE TABLE d PARTITION OF p FOR VALUES FROM (20) TO (30); CREATE TABLE e (x int); CREATE TABLE f (x int); CREATE TABLE g (x int) INHERITS (e); INSERT INTO c VALUES (1, 'one'); INSERT INTO d VALUES (21, 'two'); INSERT INTO f VALUES (3)",
    models:
      "CREATE TABLE p (a int PRIMARY KEY, b text) PARTITION BY RANGE (a); CREATE TABLE c PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE d (a int, b text, PRIMARY KEY (a)); CREATE TABLE e (x int); CREATE TABLE f (x int) INHERITS (e); CREATE TABLE g (x int)",
    without: [/DATA LOSS/],
    afterUp: { "SELECT b FROM p": ["one"], "SELECT b FROM d": ["two"], "SELECT x FROM e": [3] },
    afterDown: { "SELECT b FROM p": ["two"], "SELECT b FROM c": ["one"], "SELECT x FROM f": [3] },
  },
  {
    name: "an index that a failed build left invalid is built again",
    live: "CREATE TABLE t (id int); CREATE INDEX t_id ON t (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_id'::regclass",
    models: "CREATE TABLE t (id int); CREATE INDEX t_id ON t (id)",
    up: [/DROP INDEX/, /CREATE INDEX/],
    downDiffers: [/^unexpected index public\.t_id$/], // pg_dump does not show the invalid one
    afterUp: { "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id'::regclass": [true] },
  },
  {
    name: "a column gets a type that has no cast of its own",
    live: "CREATE TABLE t (a varchar(10) DEFAULT '7'); INSERT INTO t VALUES ('12')",
    models: "CREATE TABLE t (a integer DEFAULT 7)",
    up: [/LONG LOCK/],
    afterUp: { "SELECT a FROM t": [12] },
    afterDown: { "SELECT a FROM t": ["12"] },
  },
  {
    name: "a column's collation changes under an index and a view with its values kept",
    live: "CREATE TABLE t (a text COLLATE \"C\" NOT NULL, b varchar(9), c text COLLATE \"C\"); CREATE INDEX t_a ON t (a); CREATE VIEW v AS SELECT a FROM t; INSERT INTO t VALUES ('x', 'y', 'z')",
    models:
      'CREATE TABLE t (a varchar(50) NOT NULL, b varchar(20) COLLATE "POSIX", c varchar(8) COLLATE "C"); CREATE INDEX t_a ON t (a); CREATE VIEW v AS SELECT a FROM t',
    without: [/DATA LOSS/],
    afterUp: { "SELECT a || c FROM t": ["xz"], "SELECT b FROM t": ["y"] },
    afterDown: { "SELECT a || c FROM t": ["xz"], "SELECT b FROM t": ["y"] },
  },
  {
    name: "generated columns stand on columns and functions that change",
    live: "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x + 1'; CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED, c int, d int GENERATED ALWAYS AS (f(c)) STORED); CREATE INDEX t_b ON t (b); CREATE VIEW v AS SELECT d FROM t; INSERT INTO t (a, c) VALUES (1, 2)",
    models:
      "CREATE FUNCTION f(y int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT y + 1'; CREATE TABLE t (a bigint, b bigint GENERATED ALWAYS AS (a + 1) STORED, c int, d int GENERATED ALWAYS AS (f(c)) STORED); CREATE INDEX t_b ON t (b); CREATE VIEW v AS SELECT d FROM t",
    up: [/-- its values are computed again below/],
    without: [/DATA LOSS/],
    afterUp: { "SELECT b::int + d FROM t": [5] },
  },
  {
    name: "a stored generated column becomes a plain one and keeps its values",
    live: "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED); INSERT INTO t VALUES (2)",
    models: "CREATE TABLE t (a int, b bigint DEFAULT 7 NOT NULL)",
    up: [/ALTER COLUMN b DROP EXPRESSION/],
    without: [/DATA LOSS/],
    afterUp: { "SELECT b::int FROM t": [4] },
  },
  {
    name: "columns get types for which no cast exists, and the file says where rows decide",
    live: "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (p int REFERENCES p, a int, b boolean DEFAULT true, c timestamptz, d int); INSERT INTO t (a, b) VALUES (7, true)",
    models:
      "CREATE TABLE p (id uuid PRIMARY KEY); CREATE TABLE t (p uuid REFERENCES p, a jsonb, b bigint DEFAULT 1, c bigint, d text[])",
    up: [
      /FAILS where a value of public\.t\.p does not fit uuid/,
      /TYPE uuid USING p::text::uuid/,
      /USING to_jsonb\(a\)/,
    ],
    afterUp: { "SELECT a::text || '/' || b FROM t": ["7/1"] },
  },
  {
    name: "a shorter string fails where a value is too long instead of cutting it",
    live: "CREATE TABLE t (a varchar(50), b text, c int); INSERT INTO t VALUES ('abc', 'def', 123)",
    models: "CREATE TABLE t (a varchar(5), b varchar(5), c varchar(5))",
    up: [
      /FAILS where a value of public\.t\.a does not fit character varying\(5\)/,
      /TYPE character varying\(5\);/,
    ],
    afterUp: { "SELECT a || b || c FROM t": ["abcdef123"] },
  },
  {
    name: "an index for the replica identity, options of a key's index, and NOT NULL of a child's column",
    live: "CREATE TABLE t (a int, b int); CREATE UNIQUE INDEX t_a ON t (a); CREATE TABLE p (a int); CREATE TABLE c (x int) INHERITS (p); CREATE TABLE q (a int, d date) PARTITION BY RANGE (d); CREATE TABLE q1 PARTITION OF q FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
    models:
      "CREATE TABLE t (a int NOT NULL, b int UNIQUE WITH (fillfactor = 50)) WITH (fillfactor = 60, autovacuum_vacuum_threshold = 5); CREATE UNIQUE INDEX t_a ON t (a); ALTER TABLE t REPLICA IDENTITY USING INDEX t_a; CREATE TABLE p (a int); CREATE TABLE c (x int) INHERITS (p); ALTER TABLE c ALTER a SET NOT NULL; CREATE TABLE q (a int, d date) PARTITION BY RANGE (d); CREATE TABLE q1 PARTITION OF q (d NOT NULL) FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
  },
  {
    name: "tables move below parents that the same revision makes, renamed ones too",
    live: "CREATE TYPE kind AS ENUM ('a'); CREATE TABLE events (id bigint NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)); INSERT INTO events VALUES (1, '2020-01-01'); CREATE TABLE log (at date NOT NULL, k kind); INSERT INTO log VALUES ('2020-01-01', 'a'); CREATE TABLE cat (id int CHECK (id > 0)); INSERT INTO cat VALUES (3)",
    models:
      "CREATE TYPE kind AS ENUM ('a'); CREATE TABLE all_events (id bigint NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE events PARTITION OF all_events FOR VALUES FROM (MINVALUE) TO ('2030-01-01'); CREATE TABLE later PARTITION OF all_events DEFAULT; CREATE TABLE log (at date NOT NULL, k kind) PARTITION BY RANGE (at); CREATE TABLE old_log PARTITION OF log DEFAULT; CREATE INDEX log_at ON log (at); CREATE TABLE animal (id int CHECK (id > 0)); CREATE TABLE cat (id int CHECK (id > 0)) INHERITS (animal)",
    rename: ["log=old_log"],
    without: [/DATA LOSS/],
    afterUp: {
      "SELECT id::int FROM all_events": [1],
      "SELECT k::text FROM log": ["a"],
      "SELECT id FROM animal": [3],
    },
    afterDown: {
      "SELECT id::int FROM events": [1],
      "SELECT k::text FROM log": ["a"],
      "SELECT id FROM cat": [3],
    },
  },
  {
    name: "a table becomes partitioned under a view, with its rows and its sequence, and the file says what is lost",
    live: "CREATE TABLE log (id bigserial PRIMARY KEY, at date NOT NULL, gone int NOT NULL); CREATE INDEX log_at ON log (at); CREATE VIEW v AS SELECT id FROM log; CREATE VIEW w AS SELECT id FROM v; INSERT INTO log (at, gone) VALUES ('2020-01-01', 1), ('2022-01-01', 2)",
    models:
      "CREATE TABLE log (id bigserial, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); CREATE TABLE log_2 PARTITION OF log DEFAULT; CREATE INDEX log_at ON log (at); CREATE VIEW v AS SELECT id FROM log; CREATE VIEW w AS SELECT id FROM v",
    up: [/DATA LOSS: column public\.log\.gone/],
    down: [/the old values of public\.log\.gone are gone: rows get 0/],
    without: [/DATA LOSS: table/],
    afterUp: {
      "SELECT id::int FROM log_2": [2],
      "INSERT INTO log (at) VALUES ('2020-02-02') RETURNING id::int": [3],
    },
    afterDown: { "SELECT id::int + gone FROM log ORDER BY id": [1, 2, 3] },
  },
  {
    name: "a partition key gets another type, a partition is divided, and bounds move, under foreign keys and with the rows",
    live: `CREATE TABLE p (a int, b int, t text DEFAULT 'x', PRIMARY KEY (a, b)) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY LIST (b); CREATE TABLE p11 PARTITION OF p1 FOR VALUES IN (1, 2); CREATE TABLE p12 PARTITION OF p1 DEFAULT; CREATE TABLE p2 PARTITION OF p DEFAULT; INSERT INTO p SELECT i, i % 5 FROM generate_series(1, 20) i; CREATE TABLE q (a int, b int, FOREIGN KEY (a, b) REFERENCES p); INSERT INTO q VALUES (1, 1); CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM p; CREATE INDEX p_t ON p (t); COMMENT ON COLUMN p.a IS 'c'; GRANT SELECT ON p TO PUBLIC; CREATE TABLE s (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE s1 PARTITION OF s FOR VALUES FROM (0) TO (10); CREATE TABLE s2 PARTITION OF s FOR VALUES FROM (10) TO (20); CREATE TABLE s3 PARTITION OF s DEFAULT; INSERT INTO s VALUES (5), (12), (30); CREATE TABLE r (a int REFERENCES s); INSERT INTO r VALUES (12); ${audit}`,
    models: `CREATE TABLE p (a int, b text, t text DEFAULT 'x', PRIMARY KEY (a, b)) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY LIST (b); CREATE TABLE p11 PARTITION OF p1 FOR VALUES IN ('1', '2'); CREATE TABLE p12 PARTITION OF p1 DEFAULT; CREATE TABLE p2 PARTITION OF p DEFAULT; CREATE TABLE q (a int, b text, FOREIGN KEY (a, b) REFERENCES p); CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM p; CREATE INDEX p_t ON p (t); COMMENT ON COLUMN p.a IS 'c'; GRANT SELECT ON p TO PUBLIC; CREATE TABLE s (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE s1 PARTITION OF s FOR VALUES FROM (0) TO (15); CREATE TABLE s2 PARTITION OF s FOR VALUES FROM (15) TO (20); CREATE TABLE s3 PARTITION OF s DEFAULT PARTITION BY HASH (a); CREATE TABLE s31 PARTITION OF s3 FOR VALUES WITH (MODULUS 1, REMAINDER 0); CREATE TABLE r (a int REFERENCES s); ${audit}`,
    without: [/DATA LOSS: (table|column)/],
    afterUp: {
      "SELECT count(*)::int FROM p11": [4],
      "SELECT n::int FROM m": [20],
      "SELECT a FROM s1 ORDER BY a": [5, 12],
      "SELECT a FROM s31": [30],
      "SELECT a FROM seen": [],
    },
    afterDown: {
      "SELECT count(*)::int FROM p11": [4],
      "SELECT a FROM s2": [12],
      "INSERT INTO s VALUES (40) RETURNING a": [40],
      "SELECT a FROM seen": [40],
    },
  },
  {
    name: "what the models do not mention is dropped with a warning, save for what is ignored",
    live: "CREATE TABLE keep (id int); CREATE TABLE gone (id int); CREATE TABLE tmp_a (id int); CREATE SCHEMA audit; CREATE TABLE audit.log (id int); CREATE INDEX keep_i ON keep (id); CREATE VIEW tmp_v AS SELECT id FROM gone; DROP VIEW tmp_v",
    models: "CREATE TABLE keep (id int)",
    ignore: ["tmp_*", "audit.*", "public.keep_i"],
    up: [/DATA LOSS: table public\.gone/],
    without: [/tmp_a/, /audit/, /keep_i/],
  },
];

testCases(cases);
