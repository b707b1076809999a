import assert from "node:assert/strict";
import { test } from "node:test";
import { importFlags } from "../../runner/pending-operations.ts";

const operation = (type: string, resourceType: string, inputs: Record<string, unknown>) => ({
  type,
  resource: { urn: `urn:pulumi:dev::pgstack::${resourceType}::thing`, type: resourceType, inputs },
});

test("what was being made is looked for under the provider's name of it", () => {
  const schema = operation("creating", "postgresql:index/schema:Schema", {
    database: "my db",
    name: "audit",
  });
  assert.deepEqual(importFlags({ deployment: { pending_operations: [schema] } }), [
    "--import-pending-creates=urn:pulumi:dev::pgstack::postgresql:index/schema:Schema::thing",
    "--import-pending-creates=my db.audit",
  ]);
});

test("what is safe to make once more, and what was being changed, is left to the next update", () => {
  const operations = [
    operation("creating", "command:local:Command", { create: "true" }),
    operation("updating", "postgresql:index/role:Role", { name: "reader" }),
  ];
  assert.deepEqual(importFlags({ deployment: { pending_operations: operations } }), []);
  assert.deepEqual(importFlags({}), []);
});
