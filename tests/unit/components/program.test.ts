// What index.ts declares, with Pulumi's mocks in place of an engine. No server is asked: none has that name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Declared, declare, isSecret } from "../../support/declared.ts";

const existing = {
  instance: { kind: "existing", host: "db.invalid", port: 5432, sslMode: "disable" },
  adminPassword: "admin pw",
  database: { name: "shop", owner: "shop_owner", extensions: ["citext"] },
  roles: [{ name: "reader", access: "readonly" }],
  migrations: { directory: "tests/unit/components/migrations" },
};
const local = { ...existing, instance: { kind: "local", port: 54329 }, adminPassword: undefined };

const preview = (config: Record<string, unknown>, outputs?: Record<string, unknown>) =>
  declare({
    config: Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)),
    preview: true,
    ...(outputs && { outputs }),
  });

/** A resource; where a component has the same name, not the component. */
function named(all: readonly Declared[], name: string): Declared {
  const found = all.filter((one) => one.name === name);
  return (
    found.find(({ type }) => !type.startsWith("pgstack:")) ??
    found[0] ??
    assert.fail(`${name} is not declared`)
  );
}

function deletedWith(all: readonly Declared[], name: string): string | undefined {
  return (named(all, name).options.deletedWith as { __name?: string } | undefined)?.__name;
}

const commands = (all: readonly Declared[]) => all.filter(({ type }) => type === "command:local:Command");

/** All that a resource waits for, by way of others too. */
function before(all: readonly Declared[], name: string): Set<string> {
  const found = new Set<string>();
  const visit = (name: string) => {
    for (const one of all.filter((one) => one.name === name))
      for (const next of one.dependsOn) if (!found.has(next)) visit(found.add(next) && next);
  };
  visit(name);
  return found;
}

test("what is made in the database comes one after the other, migrations after roles, grants after migrations", async () => {
  const all = await preview(existing);
  assert.deepEqual(named(all, "schema-public").dependsOn, ["database-access"]);
  assert.deepEqual(named(all, "extension-citext").dependsOn, ["schema-public"]);
  assert.ok(before(all, "reader-role").has("extension-citext"));
  assert.ok(before(all, "migrations").has("roles"));
  assert.deepEqual(named(all, "migration-01_a").dependsOn, ["migrations"]);
  assert.deepEqual(named(all, "migration-02_b").dependsOn, ["migration-01_a"]);
  assert.ok(before(all, "roles-grants").has("migrations"));
  assert.ok(before(all, "reader-probe").has("roles-grants"));
});

test("a dump comes before the migrations, or, if it is asked for, after the grants", async () => {
  const early = await preview({ ...existing, dump: { label: "one" } });
  assert.ok(before(early, "migrations").has("dump"));
  const late = await preview({ ...existing, dump: { label: "one", when: "after" } });
  assert.ok(!before(late, "migrations").has("dump"));
  assert.ok(before(late, "dump-database").has("grants"));
});

test("every environment and every password is a secret, and no command line holds one", async () => {
  const all = await preview(existing);
  for (const { name, inputs } of commands(all)) {
    if (inputs.environment !== undefined) assert.ok(isSecret(inputs.environment), name);
    for (const part of ["create", "update", "delete", "stdin"])
      assert.doesNotMatch(String(inputs[part] ?? ""), /admin pw/, name);
  }
  assert.ok(isSecret(named(all, "reader-role").inputs.password));
  assert.deepEqual(named(all, "reader-password").options.additionalSecretOutputs, ["stdout"]);
  assert.deepEqual(named(all, "connection-key").options.additionalSecretOutputs, ["stdout"]);
});

test("no Command is handed its previous result, nor run again for another way to the server", async () => {
  for (const { name, inputs, options } of commands(await preview(existing))) {
    assert.equal(inputs.addPreviousOutputInEnv, false, name);
    if (inputs.environment === undefined) continue;
    for (const variable of ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGSSLMODE"])
      assert.ok(options.ignoreChanges?.includes(`environment.${variable}`), `${name}: ${variable}`);
  }
});

test("what is in the database goes with it, and down scripts do not run then", async () => {
  const all = await preview(existing);
  for (const name of ["schema-public", "migrations", "migration-01_a", "roles-access", "reader-probe"])
    assert.equal(deletedWith(all, name), "database-shop", name);
});

test("a local instance takes its database and roles with it, and only a local one", async () => {
  const all = await preview(local);
  for (const name of ["database-shop", "reader-role", "shop_owner-role"])
    assert.equal(deletedWith(all, name), "instance-local", name);
  assert.equal(deletedWith(await preview(existing), "reader-role"), undefined);
});

test("protection stands before all the rest where the stack is protected, and is declared without it too", async () => {
  const all = await preview(existing);
  assert.equal(named(all, "protection").options.protect, true);
  for (const name of ["roles", "grants", "migration-02_b", "shop_owner"])
    assert.ok(before(all, "protection").has(name), name);
  assert.equal(named(all, "database-shop").options.protect, true);
  const open = await preview({ ...existing, protect: false });
  assert.equal(named(open, "protection").options.protect, false);
  assert.equal(named(await preview(local), "protection").options.protect, false);
});

test("a first preview on a server that is still to be made declares all that it can know", async () => {
  const all = await preview(local);
  const names = new Set(all.map(({ name }) => name));
  for (const name of [
    "instance-local",
    "database-shop",
    "reader-role",
    "migrations",
    "migration-02_b",
    "reader-probe",
  ])
    assert.ok(names.has(name), name);
});

test("an import declares what exists, by its name there, and no Command of the database", async () => {
  const all = await preview({ ...existing, adopt: { importOnly: true, roles: ["shop_owner", "reader"] } });
  assert.equal(named(all, "database-shop").options.import, "shop");
  assert.equal(named(all, "schema-public").options.import, "shop.public");
  assert.equal(named(all, "reader-role").options.import, "reader");
  assert.ok(named(all, "reader-role").options.ignoreChanges?.includes("password"));
  assert.deepEqual(commands(all), []);
});
