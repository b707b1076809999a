// A stack that the last commit before the package made, taken over by this one: its state is kept in tests/support.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { projectRoot } from "../../runner/util/project.ts";
import { createProject, done, type TestProject } from "../support/project.ts";

interface Step {
  readonly op: string;
  readonly urn: string;
}

interface Preview {
  readonly steps: readonly Step[];
  /** How many resources each operation concerns. */
  readonly changeSummary: { readonly same?: number; readonly update?: number };
}

let project: TestProject;
/** Resources in the kept state that a preview counts: all but the default providers. */
let count: number;

/** The kept state, as `pulumi stack import` takes it; a line for each resource. Its secrets are locked by the new stack's key. */
function keptState(): string {
  const salt = /^encryptionsalt: *(\S+)$/m.exec(project.read("Pulumi.dev.yaml"))?.[1];
  const text = readFileSync(join(projectRoot, "tests/support/state-before-the-package.jsonl"), "utf8");
  const [head, ...resources] = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  count = resources.filter(({ urn }) => !/::pulumi:providers:[^:]+::default/.test(urn)).length;
  return JSON.stringify({
    ...head,
    deployment: { ...head.deployment, secrets_providers: { type: "passphrase", state: { salt } }, resources },
  });
}

before(async () => {
  project = createProject();
  project.remove("migrations");
  project.configure("dev", {
    instance: { kind: "local" },
    database: { name: "shop", owner: "shop_owner", extensions: ["citext"] },
    roles: [{ name: "shop_reader", access: "readonly", validUntil: "2040-01-31T00:00:00Z" }],
    dump: { label: "first" },
  });
  mkdirSync(join(project.directory, "migrations"));
  project.write(
    "migrations/01_users.sql",
    "-- migrate: up\nCREATE TABLE users (id bigint PRIMARY KEY);\n-- migrate: down\nDROP TABLE users;\n",
  );
  project.write(
    "migrations/02_names.sql",
    "-- migrate: up\nALTER TABLE users ADD COLUMN name text;\n-- migrate: down\nALTER TABLE users DROP COLUMN name;\n",
  );
  await done(project.pulumi("stack", "init", "dev"));
  project.write("state.json", keptState());
  await done(project.pulumi("stack", "import", "--stack", "dev", "--file", "state.json"));
});

after(() => project.close());

test("a stack of a checkout before the package shows no replacement, and nothing comes or goes", async () => {
  const printed = await project.pulumi("preview", "--stack", "dev", "--json");
  assert.equal(printed.code, 0, printed.output);
  const { steps, changeSummary } = JSON.parse(printed.stdout) as Preview;
  assert.deepEqual(
    steps.filter(({ op }) => op !== "same" && op !== "update").map(({ op, urn }) => `${op} ${urn}`),
    [],
  );
  const { same = 0, update = 0 } = changeSummary;
  assert.equal(same + update, count);
});
