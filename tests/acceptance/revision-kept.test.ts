// What a migration must not lose on its way: privileges, comments, owners, publications, and how gently it changes.
import { testCases } from "../support/revision.ts";

const acl = (relation: string) =>
  `SELECT string_agg(grantee::regrole || ' ' || privilege_type, ', ' ORDER BY grantee::regrole::text, privilege_type) FROM pg_class, aclexplode(relacl) WHERE oid = '${relation}'::regclass AND grantee <> relowner AND grantee <> 0`;
const columnAcl = (relation: string) =>
  `SELECT string_agg(attname || ' ' || privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END, ', ' ORDER BY attname, privilege_type) FROM pg_attribute, aclexplode(attacl) WHERE attrelid = '${relation}'::regclass`;
const typeOf = (name: string) =>
  `SELECT obj_description(oid, 'pg_type') || ' ' || typowner::regrole || ' ' || has_type_privilege('r1', oid, 'USAGE') || ' ' || has_type_privilege('r2', oid, 'USAGE') FROM pg_type WHERE typname = '${name}'`;

const roles =
  "DO $$ BEGIN IF to_regrole('r1') IS NULL THEN CREATE ROLE r1; CREATE ROLE r2; CREATE ROLE app; END IF; END $$;";

const enumWith = (values: string) => `${roles}
  CREATE TYPE st AS ENUM (${values}); COMMENT ON TYPE st IS 'what it is'; REVOKE USAGE ON TYPE st FROM PUBLIC; GRANT USAGE ON TYPE st TO r1;
  ALTER TYPE st OWNER TO app;`;

testCases([
  {
    name: "an enum that loses a value keeps its comment, its privileges and its owner",
    live: `${enumWith("'a', 'b', 'c'")} CREATE TABLE e (s st, t st[]); INSERT INTO e VALUES ('a', '{b}'); CREATE TABLE st_old (a int)`,
    models: `${enumWith("'a', 'b'")} CREATE TABLE e (s st, t st[]); CREATE TABLE st_old (a int)`,
    up: [/RENAME TO st_old2;/, /DROP TYPE public\.st_old2;/],
    without: [/pgdelta/],
    afterUp: { [typeOf("st")]: ["what it is app true false"], "SELECT s || t::text FROM e": ["a{b}"] },
    afterDown: { [typeOf("st")]: ["what it is app true false"] },
  },
  {
    name: "a domain and a composite type that are rebuilt keep theirs",
    live: `${roles} CREATE DOMAIN d AS text; COMMENT ON DOMAIN d IS 'd'; REVOKE USAGE ON DOMAIN d FROM PUBLIC; GRANT USAGE ON DOMAIN d TO r1; ALTER DOMAIN d OWNER TO app;
      CREATE TYPE c AS (a int); COMMENT ON TYPE c IS 'c'; REVOKE USAGE ON TYPE c FROM PUBLIC; GRANT USAGE ON TYPE c TO r1; ALTER TYPE c OWNER TO app; CREATE TABLE t (d d, c c, cs c[])`,
    models: `${roles} CREATE DOMAIN d AS varchar(40); COMMENT ON DOMAIN d IS 'd'; REVOKE USAGE ON DOMAIN d FROM PUBLIC; GRANT USAGE ON DOMAIN d TO r1;
      CREATE TYPE c AS (a bigint); COMMENT ON TYPE c IS 'c'; REVOKE USAGE ON TYPE c FROM PUBLIC; GRANT USAGE ON TYPE c TO r1; CREATE TABLE t (d d, c c, cs c[])`,
    afterUp: { [typeOf("d")]: ["d app true false"], [typeOf("c")]: ["c app true false"] },
    afterDown: { [typeOf("d")]: ["d app true false"], [typeOf("c")]: ["c app true false"] },
  },
  {
    name: "views, functions and tables that are created again keep their owners",
    live: `${roles} GRANT CREATE ON SCHEMA public TO app; CREATE TABLE t (a int, at date NOT NULL); CREATE VIEW v AS SELECT a FROM t; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE MATERIALIZED VIEW m AS SELECT a FROM t; ALTER TABLE t OWNER TO app; ALTER VIEW v OWNER TO app; ALTER FUNCTION f OWNER TO app; ALTER MATERIALIZED VIEW m OWNER TO app; INSERT INTO t VALUES (1, now())`,
    models: `CREATE TABLE t (a int, at date NOT NULL) PARTITION BY RANGE (at); CREATE TABLE t_all PARTITION OF t DEFAULT; CREATE VIEW v AS SELECT a FROM t; CREATE FUNCTION f(int) RETURNS bigint LANGUAGE sql AS 'SELECT 1';
      CREATE MATERIALIZED VIEW m AS SELECT a FROM t`,
    afterUp: {
      "SELECT relowner::regrole::text FROM pg_class WHERE relname IN ('t', 'v', 'm') UNION ALL SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'f'":
        ["app", "app", "app", "app"],
    },
    afterDown: {
      "SELECT relowner::regrole::text FROM pg_class WHERE relname IN ('t', 'v', 'm') UNION ALL SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'f'":
        ["app", "app", "app", "app"],
      "SELECT a FROM t": [1],
    },
  },
  {
    name: "a privilege more is granted alone, and takes none away",
    live: `${roles} CREATE TABLE t (a int, b int); GRANT SELECT (a) ON t TO r1; GRANT UPDATE, DELETE ON t TO r2; GRANT UPDATE (b) ON t TO r2; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE s; GRANT USAGE ON SEQUENCE s TO r1`,
    models: `CREATE TABLE t (a int, b int); GRANT SELECT (a) ON t TO r1; GRANT INSERT ON t TO r1; GRANT UPDATE, DELETE, SELECT ON t TO r2; GRANT UPDATE (b) ON t TO r2; GRANT SELECT (b) ON t TO r1;
      CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION f TO r1; CREATE SEQUENCE s; GRANT USAGE, SELECT ON SEQUENCE s TO r1`,
    up: [
      /^GRANT INSERT\s+ON (TABLE )?public\.t\s+TO r1;/m,
      /^GRANT SELECT\s+ON SEQUENCE public\.s\s+TO r1;/m,
    ],
    without: [/REVOKE/],
    afterUp: {
      [acl("t")]: ["r1 INSERT, r2 DELETE, r2 SELECT, r2 UPDATE"],
      [columnAcl("t")]: ["a SELECT, b SELECT, b UPDATE"],
    },
    afterDown: { [acl("t")]: ["r2 DELETE, r2 UPDATE"], [columnAcl("t")]: ["a SELECT, b UPDATE"] },
  },
  {
    name: "a privilege that a table loses leaves the one on its column",
    live: `${roles} CREATE TABLE t (a int, b int); GRANT SELECT ON t TO r1; GRANT SELECT (a) ON t TO r1 WITH GRANT OPTION`,
    models: `CREATE TABLE t (a int, b int); GRANT SELECT, INSERT ON t TO r1 WITH GRANT OPTION; GRANT SELECT (a) ON t TO r1 WITH GRANT OPTION`,
    afterUp: { [acl("t")]: ["r1 INSERT, r1 SELECT"], [columnAcl("t")]: ["a SELECT*"] },
    afterDown: { [acl("t")]: ["r1 SELECT"], [columnAcl("t")]: ["a SELECT*"] },
  },
  {
    name: "constraints become valid and deferrable where they are",
    live: `CREATE TABLE p (id int PRIMARY KEY); CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CONSTRAINT d_positive CHECK (VALUE > 0) NOT VALID;
      CREATE TABLE t (a int, b int REFERENCES p, c int, d d); ALTER TABLE t ADD CONSTRAINT a_positive CHECK (a > 0) NOT VALID;
      ALTER TABLE t ADD CONSTRAINT c_fkey FOREIGN KEY (c) REFERENCES p NOT VALID; INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 1, 1, 1)`,
    models: `CREATE TABLE p (id int PRIMARY KEY); CREATE DOMAIN d AS int CONSTRAINT d_positive CHECK (VALUE > 0);
      CREATE TABLE t (a int CONSTRAINT a_positive CHECK (a > 0), b int REFERENCES p DEFERRABLE INITIALLY DEFERRED, c int CONSTRAINT c_fkey REFERENCES p DEFERRABLE, d d)`,
    up: [
      /ALTER TABLE public\.t\s+VALIDATE CONSTRAINT a_positive;/,
      /ALTER TABLE public\.t\s+ALTER CONSTRAINT t_b_fkey DEFERRABLE INITIALLY DEFERRED;/,
      /ALTER TABLE public\.t\s+ALTER CONSTRAINT c_fkey DEFERRABLE;/,
      /ALTER TABLE public\.t\s+VALIDATE CONSTRAINT c_fkey;/,
      /ALTER DOMAIN public\.d\s+VALIDATE CONSTRAINT d_positive;/,
    ],
    down: [/ALTER TABLE public\.t\s+ALTER CONSTRAINT t_b_fkey NOT DEFERRABLE;/],
    without: [/DROP CONSTRAINT|ADD CONSTRAINT/],
  },
  {
    name: "columns of one table get their types by one statement, which rewrites it once",
    live: "CREATE TABLE w (a int DEFAULT 1, b int NOT NULL, c int DEFAULT 3, d varchar(9)); INSERT INTO w VALUES (1, 2, 3, 'd')",
    models: "CREATE TABLE w (a bigint DEFAULT 1, b bigint NOT NULL, c bigint DEFAULT 3, d text)",
    up: [/ALTER COLUMN a TYPE bigint[^;]*ALTER COLUMN b TYPE bigint[^;]*ALTER COLUMN c TYPE bigint/],
    afterUp: { "SELECT a + b + c FROM w": ["6"], "INSERT INTO w (b) VALUES (5) RETURNING a + c": ["4"] },
    afterDown: { "SELECT count(*)::int FROM w": [2] },
  },
  {
    name: "new columns of one table come by one statement, a generated one with those that it is computed from",
    live: "CREATE TABLE w (a int); INSERT INTO w VALUES (2)",
    models:
      "CREATE TYPE k AS ENUM ('x'); CREATE TABLE w (a int, b int DEFAULT 3, c int GENERATED ALWAYS AS (a * b) STORED, d k, e int GENERATED ALWAYS AS (b + 1) STORED)",
    up: [/ALTER TABLE public\.w\s+ADD COLUMN b [^;]*ADD COLUMN c [^;]*ADD COLUMN d [^;]*ADD COLUMN e [^;]*;/],
    afterUp: {
      "SELECT c + e FROM w": [10],
      "SELECT string_agg(attname, '' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'w'::regclass AND attnum > 0":
        ["abcde"],
    },
  },
  {
    name: "a table that is rebuilt stays in its publication, and a slot of it lives on",
    live: `CREATE TABLE lg (id int NOT NULL, at date NOT NULL); CREATE TABLE a (i int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE a, lg (id, at) WHERE (id > 0) WITH (publish_via_partition_root = true); INSERT INTO lg SELECT i, '2024-01-01' FROM generate_series(1, 3) i`,
    models: `CREATE TABLE lg (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at); CREATE TABLE lg_all PARTITION OF lg DEFAULT; CREATE TABLE a (i int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE a, lg (id, at) WHERE (id > 0) WITH (publish_via_partition_root = true)`,
    up: [
      /INSERT INTO public\.lg [\s\S]*-- .*REFRESH PUBLICATION[^\n]*\nALTER PUBLICATION p\s+ADD TABLE public\.lg/,
    ],
    without: [/(CREATE|DROP) PUBLICATION/],
    afterUp: {
      "SELECT count(*)::int FROM lg": [3],
      "SELECT count(*)::int FROM pg_publication_tables WHERE pubname = 'p'": [2],
    },
    afterDown: {
      "SELECT count(*)::int FROM lg": [3],
      "SELECT count(*)::int FROM pg_publication_tables WHERE pubname = 'p'": [2],
    },
  },
  {
    name: "a materialized view without data is created without running its query",
    live: "CREATE MATERIALIZED VIEW filled AS SELECT 1 AS a WITH NO DATA; CREATE MATERIALIZED VIEW other AS SELECT 1 AS a WITH NO DATA",
    models:
      "CREATE MATERIALIZED VIEW mv AS SELECT 1 / (random() - random())::int AS a WITH NO DATA; CREATE MATERIALIZED VIEW filled AS SELECT 1 AS a; CREATE MATERIALIZED VIEW other AS SELECT 2 AS a WITH NO DATA",
    up: [
      /CREATE MATERIALIZED VIEW public\.mv\s+AS[\s\S]*?WITH NO DATA;/,
      /REFRESH MATERIALIZED VIEW public\.filled;/,
    ],
    down: [/REFRESH MATERIALIZED VIEW public\.filled WITH NO DATA;/],
    without: [/REFRESH MATERIALIZED VIEW public\.(mv|other)/],
    afterUp: {
      "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind = 'm' AND NOT relispopulated":
        ["mv,other"],
    },
    afterDown: {
      "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind = 'm' AND NOT relispopulated":
        ["filled,other"],
    },
  },
  {
    name: "tables of other tools are left alone, with all that belongs to them, and that is said",
    live: `CREATE TABLE alembic_version (version_num text PRIMARY KEY); INSERT INTO alembic_version VALUES ('7'); CREATE TABLE django_migrations (id bigserial PRIMARY KEY, name text); CREATE INDEX ON django_migrations (name);
      CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text); CREATE TABLE knex_migrations (id int); CREATE TABLE knex_migrations_lock (i int); CREATE TABLE gone (a int)`,
    models: "CREATE TABLE t (a int); CREATE TABLE schema_migrations (version text)",
    without: [/(TABLE|INDEX|SEQUENCE|SCHEMA) (public\.)?(alembic|django|drizzle|knex)/],
    up: [/DROP TABLE public\.gone;/, /CREATE TABLE public\.schema_migrations/],
    hints: [
      /^table public\.alembic_version is left alone: it is the history of Alembic$/m,
      /drizzle\.__drizzle_migrations .* Drizzle$/m,
    ],
    withoutHints: [/schema_migrations is left/],
    leavesMore: true,
    afterUp: {
      "SELECT version_num FROM alembic_version": ["7"],
      "SELECT count(*)::int FROM drizzle.__drizzle_migrations": [0],
    },
  },
  {
    name: "default privileges in the models are named, since no migration changes them",
    live: `${roles} CREATE TABLE t (a int)`,
    models: `${roles} CREATE TABLE t (a int, b int); ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO r1`,
    hints: [
      /^ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public … ON TABLES in the models is left out/m,
    ],
    without: [/GRANT SELECT/],
    leavesMore: true,
  },
  {
    name: "privileges on columns of views stay when the view is created again, and are granted and revoked",
    live: `${roles} CREATE TABLE t (a int, b int, c int); CREATE VIEW v AS SELECT a, b, c FROM t; GRANT SELECT (a) ON v TO r1; GRANT UPDATE (b), SELECT (b) ON v TO r2 WITH GRANT OPTION; GRANT SELECT (b) ON v TO PUBLIC;
      CREATE MATERIALIZED VIEW m AS SELECT a FROM t; GRANT SELECT (a) ON m TO r1; CREATE VIEW w AS SELECT 1 AS x; GRANT SELECT (x) ON w TO r1`,
    models: `${roles} CREATE TABLE t (a bigint, b int, c int); CREATE VIEW v AS SELECT a, b, c FROM t; GRANT SELECT (a) ON v TO r1; GRANT SELECT (c) ON v TO r1; GRANT SELECT (b) ON v TO PUBLIC; CREATE MATERIALIZED VIEW m AS SELECT a FROM t;
      CREATE VIEW w AS SELECT 1 AS x; GRANT SELECT (x) ON w TO PUBLIC`,
    afterUp: {
      [columnAcl("v")]: ["a SELECT, b SELECT, b SELECT*, b UPDATE*, c SELECT"],
      [columnAcl("m")]: ["a SELECT"],
      [columnAcl("w")]: ["x SELECT, x SELECT"],
    },
    afterDown: {
      [columnAcl("v")]: ["a SELECT, b SELECT, b SELECT*, b UPDATE*"],
      [columnAcl("m")]: ["a SELECT"],
      [columnAcl("w")]: ["x SELECT"],
    },
  },
  {
    name: "an index of a partitioned table alone becomes one of all its partitions, and the other way",
    live: `CREATE TABLE ev (id int, at date) PARTITION BY RANGE (at); CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM ('2024-01-01') TO ('2025-01-01'); CREATE TABLE ev_2 PARTITION OF ev DEFAULT PARTITION BY LIST (id); CREATE TABLE ev_3 PARTITION OF ev_2 DEFAULT;
      CREATE INDEX i ON ONLY ev (id); CREATE UNIQUE INDEX u ON ONLY ev (id, at); CREATE INDEX all_of ON ev (at); CREATE INDEX stays ON ONLY ev (at, id); INSERT INTO ev VALUES (1, '2024-02-02'), (2, '2026-01-01')`,
    models: `CREATE TABLE ev (id int, at date) PARTITION BY RANGE (at); CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM ('2024-01-01') TO ('2025-01-01'); CREATE TABLE ev_2 PARTITION OF ev DEFAULT PARTITION BY LIST (id); CREATE TABLE ev_3 PARTITION OF ev_2 DEFAULT;
      CREATE INDEX i ON ev (id); CREATE UNIQUE INDEX u ON ONLY ev (id, at); CREATE INDEX all_of ON ONLY ev (at); CREATE INDEX stays ON ONLY ev (at, id); CREATE INDEX fresh ON ONLY ev (id, at, id)`,
    up: [
      /CREATE INDEX i ON public\.ev /,
      /CREATE INDEX all_of ON ONLY public\.ev /,
      /CREATE INDEX fresh ON ONLY public\.ev /,
    ],
    down: [/CREATE INDEX i ON ONLY public\.ev /, /CREATE INDEX all_of ON public\.ev /],
    without: [/\b(stays|u)\b|only \*/],
    afterUp: {
      "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indisvalid AND relkind = 'I'":
        ["ev_2_id_idx,i"],
      "SELECT count(*)::int FROM pg_partition_tree('i')": [4],
    },
    afterDown: {
      "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indisvalid AND relkind = 'I'":
        ["all_of,ev_2_at_idx"],
    },
  },
  {
    name: "what the models revoke is revoked, and nothing else that only the database grants",
    live: `${roles} CREATE TABLE t (a int, b int); CREATE TABLE u (a int); CREATE VIEW v AS SELECT a, b FROM t; GRANT SELECT, INSERT ON t TO r1; GRANT UPDATE (a) ON t TO r1; GRANT SELECT ON t TO r2; GRANT SELECT ON u TO r1; GRANT SELECT (a), SELECT (b) ON v TO r1;
      CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION f TO r1, r2`,
    models: `${roles} CREATE TABLE t (a int, b int); CREATE TABLE u (a int); CREATE VIEW v AS SELECT a, b FROM t; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
      REVOKE SELECT, UPDATE ON t FROM r1; REVOKE SELECT (b) ON v FROM r1; REVOKE ALL ON FUNCTION f(int) FROM r2`,
    up: [
      /^REVOKE SELECT\s+ON (TABLE )?public\.t\s+FROM r1;/m,
      /^REVOKE SELECT \(b\)\s+ON public\.v\s+FROM r1;/m,
    ],
    hints: [/^the models revoke privileges of "r1" on public\.t: where the stack grants them .* exclude/m],
    withoutHints: [/public\.u/],
    afterUp: {
      [acl("t")]: ["r1 INSERT, r2 SELECT"],
      [columnAcl("t")]: [null],
      [acl("u")]: ["r1 SELECT"],
      [columnAcl("v")]: ["a SELECT"],
      "SELECT proacl::text FROM pg_proc WHERE proname = 'f'": [
        "{=X/postgres,postgres=X/postgres,r1=X/postgres}",
      ],
    },
    afterDown: {
      [acl("t")]: ["r1 INSERT, r1 SELECT, r2 SELECT"],
      [columnAcl("t")]: ["a UPDATE"],
      [columnAcl("v")]: ["a SELECT, b SELECT"],
    },
  },
]);
