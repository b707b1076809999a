// The package as npm leaves it: the examples run from folders that have nothing of this checkout, on the real engine.
import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { removeInstance } from "../../runner/instance/local-instance.ts";
import { type ConnectionSettings, connectionFromUrl } from "../../runner/postgres/connection.ts";
import { sql } from "../support/databases.ts";
import { type InstalledPackage, packPackage } from "../support/installed.ts";
import { done } from "../support/project.ts";

let installed: InstalledPackage;
let two: ReturnType<InstalledPackage["program"]>;

const up = (program: typeof two, ...flags: string[]) =>
  done(program.run("pulumi", "up", "--yes", "--skip-preview", "--stack", "dev", ...flags));
const outputs = async (program: typeof two) =>
  JSON.parse(
    await done(program.run("pulumi", "stack", "output", "--json", "--show-secrets", "--stack", "dev")),
  );

before(async () => {
  installed = packPackage();
  two = installed.program("two-databases");
  await done(two.run("pulumi", "stack", "init", "dev"));
  await up(two);
});

after(async () => {
  await removeInstance({ directory: join(two.directory, ".pgstack/dev/dev"), port: 0 }, () => {});
  installed[Symbol.dispose]();
});

test("a CommonJS program makes two databases with a shared role, and its outputs lead to both", async () => {
  const { heads, metabaseUrls } = await outputs(two);
  assert.deepEqual(heads, { shop: "20270101000000_users", crm: "20270101000000_leads" });
  const [shop, crm] = (metabaseUrls as string[]).map((url) => connectionFromUrl(url, {}));
  await sql(shop as ConnectionSettings, "SELECT id, name FROM users");
  await sql(crm as ConnectionSettings, "SELECT * FROM leads");
  await assert.rejects(sql(shop as ConnectionSettings, "SELECT email FROM users"), /permission denied/);
});

test("names in the state carry the component's name, and commands the package's and no path", async () => {
  const { deployment } = JSON.parse(await done(two.run("pulumi", "stack", "export", "--stack", "dev")));
  const resources = deployment.resources as { type: string; urn: string; inputs?: { create?: string } }[];
  const ours = resources.filter(({ type }) => !/^pulumi:/.test(type));
  const unnamed = ours.filter(
    ({ urn }) => !/::(shop|crm|dev)(-.*)?$|::connections$|::connection-key$/.test(urn),
  );
  assert.deepEqual(unnamed, []);
  const creates = ours.flatMap(({ type, inputs }) =>
    type === "command:local:Command" ? (inputs?.create ?? []) : [],
  );
  assert.ok(creates.length > 5);
  for (const text of creates) assert.match(text, /^node -e "import\('pgstack\/run'\)" [a-z-]+$/);
});

test("no file of the package looks for TypeScript", () => {
  const modules = join(two.directory, "node_modules/pgstack/dist");
  const files = globSync("**/*.js", { cwd: modules }).map((file) => join(modules, file));
  assert.ok(files.length > 100);
  assert.deepEqual(
    files.filter((file) => /(from|import\() ?"\.[^"]*\.ts"/.test(readFileSync(file, "utf8"))),
    [],
  );
});

test("the command line finds the project, and the database that is named", async () => {
  const status = (...words: string[]) =>
    two.run("node_modules/.bin/pgstack", "status", "--stack", "dev", ...words);
  const several = await status();
  assert.equal(several.code, 2, several.output);
  assert.match(
    several.stderr,
    /Stack "dev" has several databases: (shop, crm|crm, shop)\. Say which by --database NAME/,
  );
  assert.match(await done(status("--database", "shop")), /20270101000000_users/);
  assert.match(await done(status("--database", "crm")), /20270101000000_leads/);
  assert.match(
    await done(two.run("node_modules/.bin/pgstack", "roles", "--stack", "dev", "--database", "crm")),
    /metabase/,
  );
});

test("an ECMAScript program continues with the same state, and a database that leaves it takes nothing of the other", async () => {
  const file = (name: string) => join(two.directory, name);
  writeFileSync(file("package.json"), JSON.stringify({ name: "two-databases", type: "module" }));
  writeFileSync(
    file("Pulumi.yaml"),
    "name: two-databases\nruntime: { name: nodejs, options: { typescript: false } }\nmain: index.ts\n",
  );
  assert.match(
    await done(
      two.run(
        "env",
        "PULUMI_NODEJS_TYPESCRIPT=",
        "pulumi",
        "preview",
        "--stack",
        "dev",
        "--expect-no-changes",
      ),
    ),
    /unchanged/,
  );
  const { metabaseUrls } = await outputs(two);
  const program = readFileSync(file("index.ts"), "utf8");
  const withoutCrm = program
    .replace(/const crm = [^;]*;/, "")
    .replace(", crm: crm.head", "")
    .replace(", crm.urls", "");
  writeFileSync(file("index.ts"), withoutCrm);
  const update = await done(
    two.run("env", "PULUMI_NODEJS_TYPESCRIPT=", "pulumi", "up", "--yes", "--skip-preview", "--stack", "dev"),
  );
  assert.doesNotMatch(update, /[-~+] .* shop-/);
  const [shop, crm] = (metabaseUrls as string[]).map((url) => connectionFromUrl(url, {}));
  await sql(shop as ConnectionSettings, "SELECT id, name FROM users");
  await assert.rejects(sql(crm as ConnectionSettings, "SELECT 1"), /does not exist/);
});
