import assert from "node:assert/strict";
import { test } from "node:test";
import { providerRights } from "../../components/roles/provider-rights.ts";
import type { ProviderLimit } from "../../runner/roles/catalog/provider-limits.ts";

const metabase = {
  role: "metabase",
  access: "readonly" as const,
  schemas: ["public", "audit"],
  allSchemas: true,
  exclude: [] as string[],
};

function names(declaration: typeof metabase, limits: readonly ProviderLimit[] = []): string[] {
  const database = { name: "app", owner: "owner", limits };
  return providerRights([{ declaration, memberOf: [] }], database).map(({ name }) =>
    name.replace(/^metabase-/, ""),
  );
}

const everywhere = ["default-tables", "default-sequences", "default-schemas"];
const inPublic = ["select-public", "sequences-public"];
const inAudit = ["select-audit", "sequences-audit"];
const before = ["connect-app", "usage-public", "usage-audit"];

test("a readonly role's rights are CONNECT, USAGE, SELECT of each schema, and the owner's default privileges", () => {
  assert.deepEqual(names(metabase), [...before, ...inPublic, ...inAudit, ...everywhere]);
});

test("a schema that an exclusion concerns is left to the runner, and default privileges name the others", () => {
  const expected = [...before, ...inPublic, "default-tables-public", "default-sequences-public"];
  assert.deepEqual(names({ ...metabase, exclude: ["audit.*"] }), expected);
  assert.deepEqual(names({ ...metabase, exclude: ["users.email"] }), before);
});

test("what the provider cannot state on this server is left to the runner", () => {
  const limit = (what: ProviderLimit["what"], role: string | null) => ({ schema: "audit", what, role });
  const withoutAudit = [...before, ...inPublic, ...everywhere];
  assert.deepEqual(names(metabase, [limit("objects", null)]), withoutAudit);
  assert.deepEqual(names(metabase, [limit("objects", "metabase")]), withoutAudit);
  assert.deepEqual(names(metabase, [limit("objects", "other")]), names(metabase));
  assert.ok(!names(metabase, [limit("schema", null)]).includes("usage-audit"));
});

test("two roles and schemas with dashes never share a resource's name", () => {
  const database = { name: "app", owner: "owner", limits: [] };
  const roles = [
    { ...metabase, role: "a", schemas: ["b-select-c"] },
    { ...metabase, role: "a-select-b", schemas: ["c"] },
  ].map((declaration) => ({ declaration, memberOf: [] }));
  const all = providerRights(roles, database).map(({ kind, name }) => `${kind} ${name}`);
  assert.equal(new Set(all).size, all.length);
});
