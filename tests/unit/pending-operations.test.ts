import assert from "node:assert/strict";
import { test } from "node:test";
import { takeOver } from "../../cli/stack/pending-operations.ts";

const resource = (name: string, type: string, inputs: Record<string, unknown>) => ({
  urn: `urn:pulumi:dev::pgstack::${type}::${name}`,
  type,
  inputs,
});
const known = resource("known", "postgresql:index/role:Role", { name: "known" });

test("what was being made is taken for made, under the provider's name of it", () => {
  const schema = resource("audit", "postgresql:index/schema:Schema", { database: "my db", name: "audit" });
  const command = resource("migrations", "command:local:Command", { create: "true" });
  const pending_operations = [schema, command, schema, known].map((one) => ({
    type: "creating",
    resource: one,
  }));
  const { deployment } = takeOver({ version: 3, deployment: { resources: [known], pending_operations } });
  assert.deepEqual(deployment.resources, [known, { ...schema, id: "my db.audit", outputs: schema.inputs }]);
  assert.deepEqual(deployment.pending_operations, []);
});

test("what was being changed or deleted is left to the engine, and the rest of the export as it is", () => {
  const updating = { type: "updating", resource: known };
  const checkpoint = {
    version: 3,
    deployment: { manifest: {}, resources: [known], pending_operations: [updating] },
  };
  assert.deepEqual(takeOver(checkpoint), checkpoint);
});
