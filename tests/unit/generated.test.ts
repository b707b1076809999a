// What is generated and committed is what the sources say now: node scripts/generate.ts
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkConfig, keys } from "../../runner/config/parse.ts";
import { packageRoot } from "../../runner/util/project.ts";
import { apiReference } from "../../scripts/api-reference.ts";
import { configSchema } from "../../scripts/config-schema.ts";

const committed = (file: string) => readFileSync(join(packageRoot, file), "utf8");

test("the JSON schema of the configuration and the API reference are those of the sources", () => {
  assert.deepEqual(JSON.parse(committed("schema.json")), JSON.parse(JSON.stringify(configSchema())));
  assert.equal(committed("docs/api.md"), apiReference());
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
}

const { config } = (JSON.parse(committed("schema.json")) as Schema).properties as { config: Schema };
const ofKey = (key: string) => config.properties?.[`pgstack:${key}`] as Schema;

const least = { instance: { kind: "local" }, database: { name: "app", owner: "app_owner" } };
const accepts = (values: object) => "config" in checkConfig({ ...least, ...values });

test("the schema knows the keys that the checks know, and no other", () => {
  assert.deepEqual(
    Object.keys(config.properties ?? {}).sort(),
    Object.keys(keys)
      .map((key) => `pgstack:${key}`)
      .sort(),
  );
  for (const key of ["database", "migrations", "dump", "restore", "cutover", "adopt"]) {
    assert.equal(ofKey(key).additionalProperties, false, key);
    assert.ok(!accepts({ [key]: { ...(least as Record<string, object>)[key], surprise: 1 } }), key);
  }
});

test("what the schema demands of a role, and allows, is what the checks demand and allow", () => {
  const role = ofKey("roles").items as Schema;
  const whole: Record<string, unknown> = { name: "reader", access: "readonly" };
  assert.deepEqual(role.required, ["name", "access"]);
  for (const key of role.required ?? [])
    assert.ok(!accepts({ roles: [{ ...whole, [key]: undefined }] }), key);
  for (const access of role.properties?.access?.enum ?? [])
    assert.ok(accepts({ roles: [{ ...whole, access }] }));
  assert.ok(!accepts({ roles: [{ ...whole, access: "owner" }] }));
});
