import assert from "node:assert/strict";
import { test } from "node:test";
import { ChangedRows } from "../../runner/cutover/compare/changed-rows.ts";
import { keyOfRow } from "../../runner/cutover/compare/row-keys.ts";
import { splitPostData } from "../../runner/cutover/copy/post-data.ts";
import { runTasks, type Task } from "../../runner/util/task-pool.ts";

test("indexes are set apart by their table, and what wants more than its rows is not", () => {
  const index = (sql: string) => ({ type: "INDEX", name: "i", sql });
  const own = [
    index('CREATE UNIQUE INDEX "i x" ON "We ird"."Ta ""b.le" USING btree (a);\n\nALTER TABLE …'),
    {
      type: "CONSTRAINT",
      name: "t t_pkey",
      sql: 'ALTER TABLE ONLY "We ird"."Ta ""b.le"\n    ADD CONSTRAINT k PRIMARY KEY (a);',
    },
  ];
  const others = [
    index("CREATE INDEX i ON ONLY public.parent USING btree (a);"),
    index("CREATE INDEX i ON public.view USING btree (a);"),
    {
      type: "FK CONSTRAINT",
      name: "t f",
      sql: 'ALTER TABLE ONLY "We ird"."Ta ""b.le"\n    ADD CONSTRAINT f FOREIGN KEY …',
    },
  ];
  const { early, late } = splitPostData([...own, ...others], [{ name: '"We ird"."Ta ""b.le"' }]);
  assert.deepEqual(early.get('"We ird"."Ta ""b.le"'), own);
  assert.deepEqual(late, others);
});

test("what follows from a task comes before what waits, and an error stops the rest", async () => {
  const done: string[] = [];
  const task =
    (name: string, next: Task<number>[] = []): Task<number> =>
    async () => {
      done.push(name);
      return next;
    };
  await runTasks([task("a", [task("a1", [task("a2")])]), task("b")], [1]);
  assert.deepEqual(done, ["a", "a1", "a2", "b"]);
  const fails: Task<number> = async () => {
    throw new Error("broken");
  };
  await assert.rejects(runTasks([fails, task("never")], [1]), /broken/);
  assert.ok(!done.includes("never"));
});

test("a row's key is taken from the old row where the new one leaves out a large value", () => {
  const key = {
    columns: [
      { name: "id", type: "int", equals: "=" },
      { name: "big", type: "text", equals: "=" },
    ],
  };
  const table = { schema: "s", table: "t", columns: ["big", "other", "id"] };
  assert.equal(keyOfRow(key, table, ["x", null, "1"]), '["1","x"]');
  assert.equal(keyOfRow(key, table, [undefined, null, "1"], ["long", null, "1"]), '["1","long"]');
  assert.equal(keyOfRow(key, table, [undefined, null, "1"]), undefined);
  assert.equal(keyOfRow(key, { ...table, columns: ["other", "id"] }, [null, "1"]), undefined);
});

test("a table of which too many rows were written counts as a whole, and stays so", () => {
  const rows = new ChangedRows();
  for (let n = 0; n <= 300_000; n++) rows.addKey("t", `[${n}]`);
  rows.addKey("t", "[1]");
  rows.addKey("u", "[1]");
  assert.deepEqual(
    [rows.keysOf("t"), rows.keysOf("u"), rows.keysOf("v")],
    ["all", new Set(["[1]"]), undefined],
  );
});
