import assert from "node:assert/strict";
import { test } from "node:test";
import { scramVerifier, verifierWith } from "../../components/roles/scram.ts";
import { classify } from "../../runner/adopt/classify.ts";
import { concernsTable, parseExclusion } from "../../runner/config/exclusion.ts";
import { inOrderOfMembership } from "../../runner/config/role-declaration.ts";
import type { EffectiveRole } from "../../runner/roles/catalog/effective-rights.ts";
import type { CatalogObject } from "../../runner/roles/catalog/objects.ts";
import { ruleOf } from "../../runner/roles/plan/desired.ts";
import { planGrants } from "../../runner/roles/plan/plan.ts";
import { sqlOf, together } from "../../runner/roles/plan/statement.ts";

/** Privileges by grantee. */
type Privileges = Readonly<Record<string, readonly string[]>>;

function object(
  kind: CatalogObject["kind"],
  name: string,
  acl: Privileges = {},
  columns = {},
): CatalogObject {
  const schema = kind === "schema" ? name : kind === "database" ? "" : "public";
  return {
    ...{
      key: `${kind} ${schema} ${name}`,
      kind,
      schema,
      name,
      owner: "owner",
      relkind: kind === "table" ? "r" : "",
    },
    acl: new Map(Object.entries(acl)),
    columns,
    parents: [],
    rowSecurity: false,
    securityDefiner: false,
    calledByViews: false,
  };
}
const table = (name: string, acl?: Privileges, columns?: object) => object("table", name, acl, columns);

const declared = (role: string, access: "readonly" | "readwrite", exclude: readonly string[] = []) =>
  ({ role, access, schemas: ["public"], allSchemas: true, exclude }) as const;

test("an exclusion's first part is a schema where there is one, and quotes take a pattern's meaning away", () => {
  const concerns = (text: string, schema: string, name: string) =>
    concernsTable(parseExclusion(text, ["audit", "public"]), schema, name);
  assert.ok(concerns("secrets", "public", "secrets"));
  assert.ok(concerns("audit.*", "audit", "log"));
  assert.ok(!concerns("audit.*", "public", "log"));
  assert.ok(concerns("au*.l*g", "audit", "log"));
  assert.ok(concerns('public."a.b*"', "public", "a.b*"));
  assert.ok(!concerns('public."a.b*"', "public", "a.bc"));
  assert.ok(!concerns("a+", "public", "aa"));
  assert.equal(parseExclusion("users.email", ["public"]).schema, undefined);
  assert.match("email", parseExclusion("users.email", ["public"]).column ?? /^$/);
  assert.ok(parseExclusion("public.users.e*", []).column?.test("email"));
});

const plan = (objects: readonly CatalogObject[], ...roles: readonly ReturnType<typeof declared>[]) =>
  together(roles.map((one) => planGrants(objects, [], ruleOf(one, ["public"], []), one.role))).map(sqlOf);

test("what several roles need is one statement, and nothing is said where all is as declared", () => {
  const objects = [table("a"), table("b")];
  assert.deepEqual(
    plan(objects, declared("r1", "readonly"), declared("r2", "readonly"), declared("w", "readwrite")),
    [
      'GRANT SELECT ON TABLE "public"."a", "public"."b" TO "r1", "r2"',
      'GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."a", "public"."b" TO "w"',
    ],
  );
  assert.deepEqual(plan([table("a", { r1: ["SELECT"] })], declared("r1", "readonly")), []);
});

test("what is taken from a table goes before what is given on its columns, whichever role's turn it is", () => {
  const columns = (held: Privileges = {}) => ({ id: new Map(Object.entries(held)), email: new Map() });
  const users = table("users", { r2: ["SELECT", "UPDATE"] }, columns());
  const hidden = ["users.email"];
  assert.deepEqual(plan([users], declared("r1", "readonly", hidden), declared("r2", "readonly", hidden)), [
    'REVOKE SELECT, UPDATE ON TABLE "public"."users" FROM "r2"',
    'GRANT SELECT ("id") ON TABLE "public"."users" TO "r1", "r2"',
  ]);
  const done = table("users", {}, columns({ r1: ["SELECT"] }));
  assert.deepEqual(plan([done], declared("r1", "readonly", hidden)), []);
});

test("today's rights are said as access, schemas and exclusions, or not at all", () => {
  const objects = [
    object("schema", "public"),
    table("a"),
    table("b", {}, { id: new Map(), secret: new Map() }),
  ];
  const role = (
    onA: readonly string[],
    onB: readonly string[],
    columns?: readonly string[],
  ): EffectiveRole => ({
    ...{
      name: "r",
      superuser: false,
      attributes: [],
      readOnly: false,
      connectionLimit: -1,
      memberOf: [],
      onDatabase: [],
    },
    rights: new Map([
      ["schema public public", ["USAGE"]],
      ["table public a", onA],
      ["table public b", onB],
    ]),
    readableColumns: new Map(columns === undefined ? [] : [["table public b", columns]]),
  });
  const all = ["SELECT", "INSERT", "UPDATE", "DELETE"];
  const readonly = { access: "readonly", schemas: undefined, exclude: [] };
  assert.deepEqual(classify(role(["SELECT"], ["SELECT"]), objects), readonly);
  assert.deepEqual(classify(role(all, all), objects), { ...readonly, access: "readwrite" });
  assert.deepEqual(classify(role(["SELECT"], []), objects), { ...readonly, exclude: ["public.b"] });
  assert.deepEqual(classify(role(["SELECT"], [], ["id"]), objects), {
    ...readonly,
    exclude: ["public.b.secret"],
  });
  assert.ok("reason" in (classify(role(all, ["SELECT"]), objects) ?? {}));
  assert.equal(classify(role([], []), objects), undefined);
});

test("a role comes after those that it is a member of", () => {
  const role = (name: string, ...memberOf: string[]) => ({ name, memberOf });
  const ordered = inOrderOfMembership([role("a", "c", "elsewhere"), role("b"), role("c", "b")]);
  assert.deepEqual(
    ordered.map(({ name }) => name),
    ["b", "c", "a"],
  );
});

test("a verifier is the one of RFC 7677's example, the same each time, and another for another role", () => {
  assert.equal(
    verifierWith("pencil", Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64")),
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
  );
  assert.equal(scramVerifier("pw", "a"), scramVerifier("pw", "a"));
  assert.notEqual(scramVerifier("pw", "a"), scramVerifier("pw", "b"));
  assert.equal(scramVerifier("ＩＸ\u00ad", "a"), scramVerifier("IX", "a"));
});
