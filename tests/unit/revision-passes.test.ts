// The passes of a revision: their order, and each by itself on the smallest plan that needs it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildFactBase, type DependencyEdge, type Fact, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { creationPasses, passes } from "../../runner/revision/plan/passes.ts";
import { type Draft, draftOf } from "../../runner/revision/plan/schema-pair.ts";
import { plain } from "../../runner/revision/script/sql-text.ts";

const source = { pgVersion: "" };
const base = (facts: Fact[] = [], edges: DependencyEdge[] = []) =>
  buildFactBase(facts, edges, source as never);
const schema: Fact = { id: { kind: "schema", name: "public" }, payload: {} };
const relation = (kind: string, name: string) => ({ kind, schema: "public", name }) as StableId;
const part = (kind: string, table: string, name: string) =>
  ({ kind, schema: "public", table, name }) as StableId;

const table = (name: string, payload: Fact["payload"] = {}): Fact => ({
  id: relation("table", name),
  parent: schema.id,
  payload: {
    persistence: "p",
    partitionKey: null,
    partitionBound: null,
    parentTable: null,
    ...payload,
  },
});

const column = (of: string, name: string, payload: Fact["payload"] = {}): Fact => ({
  id: part("column", of, name),
  parent: relation("table", of),
  payload: {
    _position: 1,
    type: "integer",
    notNull: false,
    identity: null,
    collation: null,
    generatedExpr: null,
    ...payload,
  },
});

const does = (sql: string, more: Partial<Action> = {}): Action => ({ ...plain, verb: "alter", sql, ...more });

function run(name: string, draft: Partial<Draft>): Draft {
  const pass = passes.find((one) => one.name === name);
  assert.ok(pass, `there is a pass "${name}"`);
  const from = draft.from ?? base();
  const to = draft.to ?? base();
  return pass.run({ ...draftOf({ direction: "up", from, to, roles: [] }), ...draft });
}

const sqlOf = (name: string, actions: readonly Action[], more: Partial<Draft> = {}) =>
  run(name, { ...more, actions }).actions.map(({ sql }) => sql);

test("passes have different names, and each says why it is needed", () => {
  assert.equal(new Set(passes.map(({ name }) => name)).size, passes.length);
  for (const { reason, upstream } of passes) {
    assert.match(reason, /^.{20,}\.$/);
    assert.doesNotMatch(upstream ?? "", /\.$/);
  }
});

test("each pass runs after those that it needs", () => {
  for (const list of [passes, creationPasses])
    list.forEach(({ name, after = [] }, index) => {
      const before = list.slice(0, index).map((one) => one.name);
      const later = list.slice(index).map((one) => one.name);
      for (const needed of after) {
        assert.ok(
          passes.some((one) => one.name === needed),
          `"${name}" needs "${needed}", which is a pass`,
        );
        assert.ok(!later.includes(needed), `"${needed}" runs before "${name}"`);
        if (list === passes) assert.ok(before.includes(needed));
      }
    });
});

test("all that creates a schema is among the passes of a change too", () => {
  const changes = passes.map(({ name }) => name);
  assert.deepEqual(
    creationPasses.map(({ name }) => name).filter((name) => !changes.includes(name)),
    [],
  );
});

test("passes leave a plan without statements alone", () => {
  for (const pass of passes) assert.deepEqual(run(pass.name, {}).actions, [], pass.name);
});

test("collations: a column that gets another one changes its type in place", () => {
  const sides = (collation: string | null) =>
    base([schema, table("t"), column("t", "a", { type: "text", collation })]);
  const { from, to } = run("collations", { from: sides(null), to: sides('pg_catalog."C"') });
  assert.equal(from.get(part("column", "t", "a"))?.payload.type, "text");
  assert.equal(to.get(part("column", "t", "a"))?.payload.type, 'text COLLATE pg_catalog."C"');
});

test("dropped expressions: a generated column that becomes a plain one keeps its values", () => {
  const sides = (generatedExpr: string | null) =>
    base([schema, table("t"), column("t", "a", { generatedExpr })]);
  const { from, opening } = run("dropped expressions", { from: sides("1 + 1"), to: sides(null) });
  assert.deepEqual(
    opening.map(({ sql }) => sql),
    ['ALTER TABLE "public"."t" ALTER COLUMN "a" DROP EXPRESSION'],
  );
  assert.equal(from.get(part("column", "t", "a"))?.payload.generatedExpr, null);
});

test("rebuilt objects: a table that becomes partitioned is dropped, with what depends on it", () => {
  const sides = (partitionKey: string | null) =>
    base([schema, table("t", { partitionKey }), column("t", "a")]);
  const { rebuilt, drops } = run("rebuilt objects", { from: sides(null), to: sides("RANGE (a)") });
  assert.equal(rebuilt.size, 2);
  assert.deepEqual(
    drops.map(({ sql }) => sql),
    ['DROP TABLE "public"."t"'],
  );
});

test("equal renames: an index that differs by its name alone is renamed", () => {
  const sides = (name: string) =>
    base([
      schema,
      table("t"),
      {
        id: relation("index", name),
        parent: relation("table", "t"),
        payload: { def: `CREATE INDEX ${name} ON public.t` },
      },
    ]);
  const { renames } = run("equal renames", { from: sides("a"), to: sides("b") });
  assert.deepEqual(
    renames.map(({ sql }) => sql),
    ['ALTER INDEX "public"."a" RENAME TO "b"'],
  );
});

test("type changes: a default goes once before its column's type changes, and comes back once after", () => {
  const target = 'ALTER TABLE "public"."t" ALTER COLUMN "a"';
  const consumes = [part("column", "t", "a")];
  const facts = base([
    schema,
    table("t"),
    column("t", "a"),
    { id: part("default", "t", "a"), parent: part("column", "t", "a"), payload: { expr: "1" } },
  ]);
  const actions = ["SET DEFAULT 2", "DROP DEFAULT", "TYPE bigint", "SET DEFAULT 2"].map((sql) =>
    does(`${target} ${sql}`, { consumes }),
  );
  assert.deepEqual(sqlOf("type changes", actions, { from: facts, to: facts }), [
    `${target} DROP DEFAULT`,
    `${target} TYPE bigint`,
    `${target} SET DEFAULT 2`,
  ]);
});

test("marks: pg-delta's statements lose them", () => {
  assert.deepEqual(
    sqlOf("marks", [does("ADD COLUMN a int GENERATED ALWAYS AS (b /* virtual */) STORED /* again */")]),
    ["ADD COLUMN a int GENERATED ALWAYS AS (b) VIRTUAL"],
  );
});

test("sequences: options with their default are left out", () => {
  const sql =
    'CREATE SEQUENCE "public"."s" AS bigint INCREMENT BY 2 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1 NO CYCLE';
  assert.deepEqual(sqlOf("sequences", [does(sql)]), ['CREATE SEQUENCE "public"."s" INCREMENT BY 2']);
});

test("repeated keys: a second key on the same columns is added by itself", () => {
  const key = (name: string, type: string, def: string): Fact => ({
    id: part("constraint", "t", name),
    parent: relation("table", "t"),
    payload: { type, def },
  });
  const to = base([schema, table("t"), key("p", "p", "PRIMARY KEY (a)"), key("u", "u", "UNIQUE (a)")]);
  const sql =
    'CREATE TABLE "public"."t" ("a" integer, CONSTRAINT "p" PRIMARY KEY (a), CONSTRAINT "u" UNIQUE (a))';
  const produces = [relation("table", "t"), part("constraint", "t", "p"), part("constraint", "t", "u")];
  assert.deepEqual(sqlOf("repeated keys", [does(sql, { verb: "create", produces })], { to }), [
    'CREATE TABLE "public"."t" ("a" integer, CONSTRAINT "p" PRIMARY KEY (a))',
    'ALTER TABLE "public"."t" ADD CONSTRAINT "u" UNIQUE (a)',
  ]);
});

test("all parents: CREATE TABLE names each", () => {
  const create = does('CREATE TABLE "public"."c" () INHERITS ("public"."p1")', { verb: "create" });
  const inherit = does("ALTER TABLE public.c INHERIT public.p2", { verb: "create" });
  assert.deepEqual(sqlOf("all parents", [create, inherit]), [
    'CREATE TABLE "public"."c" () INHERITS ("public"."p1", public.p2)',
  ]);
});

test("enum values first: a new value comes before what may use it", () => {
  const value = does("ALTER TYPE public.mood ADD VALUE 'b'");
  assert.deepEqual(sqlOf("enum values first", [does("SELECT 1"), value]), [value.sql, "SELECT 1"]);
});

test("replica identity: it is set once, at the end", () => {
  const identity = does("ALTER TABLE public.t REPLICA IDENTITY USING INDEX i");
  assert.deepEqual(sqlOf("replica identity", [identity, does("SELECT 1"), identity]), [
    "SELECT 1",
    identity.sql,
  ]);
});

test("free names first: an index is renamed before another one takes its name", () => {
  const index = (name: string) => relation("index", name);
  const create = does("CREATE INDEX a", { verb: "create", produces: [index("a")] });
  const rename = does("ALTER INDEX a RENAME TO b", { destroys: [index("a")], produces: [index("b")] });
  assert.deepEqual(sqlOf("free names first", [create, rename]), [rename.sql, create.sql]);
});

test("defaults after renames: a default waits for its sequence's name", () => {
  const id = part("default", "t", "a");
  const sequence = relation("sequence", "s2");
  const to = base(
    [
      schema,
      table("t"),
      column("t", "a"),
      { id: sequence, parent: schema.id, payload: {} },
      { id, parent: part("column", "t", "a"), payload: { expr: "nextval('s2')" } },
    ],
    [{ from: id, to: sequence, kind: "depends" }],
  );
  const set = does('ALTER TABLE "public"."t" ALTER COLUMN "a" SET DEFAULT nextval(\'s2\')', {
    produces: [id],
  });
  const rename = does("ALTER SEQUENCE s RENAME TO s2", { produces: [sequence] });
  assert.deepEqual(
    sqlOf("defaults after renames", [set, rename], {
      pair: draftOf({ direction: "up", from: to, to, roles: [] }).pair,
    }),
    [rename.sql, set.sql],
  );
});

test("foreign keys dropped along: a key needs no statement where its table is dropped first", () => {
  const key = part("constraint", "a", "fk");
  const from = base([
    schema,
    table("a"),
    table("b"),
    { id: key, parent: relation("table", "a"), payload: { type: "f" } },
  ]);
  const drops = [
    does('ALTER TABLE "public"."a" DROP CONSTRAINT "fk"', { verb: "drop", destroys: [key] }),
    does('DROP TABLE "public"."a"', { verb: "drop", destroys: [relation("table", "a")] }),
  ];
  assert.deepEqual(
    sqlOf("foreign keys dropped along", drops, {
      pair: draftOf({ direction: "up", from, to: from, roles: [] }).pair,
    }),
    ['DROP TABLE "public"."a"'],
  );
});
