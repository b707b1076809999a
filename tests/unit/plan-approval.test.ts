import assert from "node:assert/strict";
import { test } from "node:test";
import { movedSince, readSavedPlan, refuseMoved, type SavedPlan } from "../../runner/plan/approval.ts";
import { planVersion } from "../../runner/plan/model.ts";
import { RefusedError } from "../../runner/util/errors.ts";
import { fullPlan, planWith } from "../support/plans.ts";

const saved: SavedPlan = { version: planVersion, plan: fullPlan, catalog: { columns: "a", rights: "b" } };

test("a plan that says the same is as it was approved, whenever it is made", () => {
  assert.deepEqual(
    movedSince(saved, { ...saved, plan: { ...fullPlan, madeAt: "2027-01-01T00:00:00Z" } }),
    [],
  );
});

test("what has moved is named: SQL, migrations, head, rights, catalog", () => {
  const [first] = fullPlan.migrations.apply;
  assert.ok(first);
  const edited = { ...first, sql: `${first.sql} ` };
  const moved = (more: Partial<typeof fullPlan>, catalog = saved.catalog) =>
    movedSince(saved, { ...saved, plan: { ...fullPlan, ...more }, catalog });
  const { migrations } = fullPlan;
  assert.deepEqual(moved({ migrations: { ...migrations, apply: [edited] } }), [
    "the SQL of migration 20261201000012_game_notes is another one",
  ]);
  assert.deepEqual(moved({ migrations: { ...migrations, apply: [], revert: [] } }), [
    "migration 20261201000012_game_notes is gone",
    "down migration 20241101000000_old is gone",
  ]);
  assert.deepEqual(moved({ head: { from: "x", to: "y" } }), ["the head: not as reviewed"]);
  assert.deepEqual(moved({ rightsStatements: [] }), ["the statements about rights: not as reviewed"]);
  assert.deepEqual(moved({}, { columns: "other", rights: "b" }), [
    "the live catalog's columns: not as they were",
  ]);
  assert.deepEqual(moved({ stack: "dev" }), ['the plan is of database "spellbot" of stack "prod"']);
});

test("a plan that has moved is refused with all of it, and so is a file that is none", () => {
  const now = { ...saved, plan: planWith() };
  assert.throws(
    () => refuseMoved(saved, now, "prod.plan"),
    (error: Error) =>
      error instanceof RefusedError && /prod\.plan.*\n {2}migration .* is gone\n/.test(error.message),
  );
  assert.doesNotThrow(() => refuseMoved(saved, saved, "prod.plan"));
  assert.throws(() => readSavedPlan("/nonexistent/plan"), RefusedError);
  assert.throws(() => readSavedPlan(new URL(import.meta.url).pathname), RefusedError);
});
