import assert from "node:assert/strict";
import { test } from "node:test";
import { isSameDefinition } from "../../runner/cutover/compare/definition-text.ts";

const pairs: readonly (readonly [older: string, newer: string, same: boolean])[] = [
  [" SELECT users.id,\n    users.name\n   FROM users;", " SELECT id,\n    name\n   FROM users;", true],
  ['SELECT "Ta ble".a FROM "Ta ble"', 'SELECT a FROM "Ta ble"', true],
  ["SELECT a.id FROM a JOIN b ON a.id = b.id", "SELECT a.id FROM a JOIN b ON a.id = b.id", true],
  ["SELECT a.id FROM a JOIN b ON a.id = b.id", "SELECT b.id FROM a JOIN b ON a.id = b.id", false],
  ["SELECT users.id FROM users", "SELECT name FROM users", false],
  ["SELECT users.id FROM users WHERE users.id > 1", "SELECT id FROM users", false],
  ["SELECT 'users.id' FROM users", "SELECT 'id' FROM users", false],
  ["AS $function$ SELECT users.id $function$", "AS $function$ SELECT id $function$", false],
  ["SELECT 'open", "SELECT open", false],
];

for (const [older, newer, same] of pairs)
  test(`${older} and ${newer} are ${same ? "one definition" : "two"}`, () =>
    assert.equal(isSameDefinition(older, newer), same));
