// What the action's texts, its description and the examples of docs/ci.md hold. tests/acceptance/ci.test.ts runs it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { readRunSettings } from "../../cli/ci/settings.ts";
import { failureMarkdown, fitted, markerOf, summaryLimit } from "../../cli/ci/text.ts";
import { checkConfig } from "../../runner/config/parse.ts";
import { projectRoot } from "../../runner/util/project.ts";

const textOf = (path: string) => readFileSync(join(projectRoot, path), "utf8");
const action = parse(textOf("action.yml"));
const page = textOf("docs/ci.md");

const subject = { mode: "plan", project: "shop", stack: "prod", database: undefined } as const;

test("each project, stack and database has a marker of its own, which ends where it should", () => {
  const markers = [
    subject,
    { ...subject, mode: "drift" as const },
    { ...subject, project: "crm" },
    { ...subject, stack: "staging" },
    { ...subject, database: "-->\n# shop" },
  ].map(markerOf);
  assert.equal(new Set(markers).size, markers.length);
  for (const marker of markers) assert.match(marker, /^<!-- [^>\n]* -->$/);
});

test("a report without a plan shows its message as text, whatever it holds", () => {
  const markdown = failureMarkdown(subject, 'relation "a" is gone\n<img> @everybody [x](y)');
  assert.match(markdown, /^## :no_entry: There is no plan: stack prod\n/);
  for (const wrong of ["<img>", "@everybody", "[x](y)"]) assert.ok(!markdown.includes(wrong), wrong);
});

test("a text that fits is whole, and a longer one is counted in what its limit counts", () => {
  const around = { before: "marker\n", after: "\norigin" };
  const limit = { most: 3000, sizeOf: (text: string) => Buffer.byteLength(text) };
  const short = "x".repeat(3000 - 14);
  assert.equal(fitted(short, limit, "the log", around), `marker\n${short}\norigin`);
  const long = ["## Plan", "### Notes", ...Array<string>(2000).fill("é")].join("\n");
  const cut = fitted(long, limit, "the log", around);
  assert.ok(limit.sizeOf(cut) <= limit.most);
  const [, missing, all] = cut.match(/(\d+) of (\d+) lines are not shown, from the section "Notes" on/) ?? [];
  const kept = cut.match(/^é$/gm)?.length ?? 0;
  assert.deepEqual([Number(all), Number(missing)], [2002, 2000 - kept]);
  assert.equal(summaryLimit.most, 1_048_576);
});

test("a cut closes what is open, and takes a line of SQL for nothing else", () => {
  const lines = [
    "### Migrations",
    "<details><summary>SQL</summary>",
    "",
    "````sql",
    "```",
    "### no heading",
    "</details>",
  ];
  const limit = { most: 1600, sizeOf: (text: string) => text.length };
  const markdown = [...lines, ...Array<string>(500).fill("SELECT 1;")].join("\n");
  const cut = fitted(markdown, limit, "the log", { before: "", after: "" });
  assert.match(
    cut,
    /SELECT 1;\n````\n\n<\/details>\n\n:scissors: .*, from the section "Migrations" on\. The whole text is in the log\.$/,
  );
});

test("the settings of a run take the token out of the environment", () => {
  const env: NodeJS.ProcessEnv = { PGSTACK_GITHUB_TOKEN: "canary", GITHUB_REPOSITORY: "acme/shop" };
  const { access, pullRequest } = readRunSettings(env);
  assert.deepEqual(access, { api: "https://api.github.com", token: "canary", repository: "acme/shop" });
  assert.equal(pullRequest, undefined);
  assert.ok(!("PGSTACK_GITHUB_TOKEN" in env));
  assert.throws(() => readRunSettings({}), /Expected a run of GitHub Actions.*docs\/ci\.md/);
  assert.throws(
    () => readRunSettings({ GITHUB_REPOSITORY: "acme/shop", GITHUB_API_URL: "ghes.internal" }),
    /GITHUB_API_URL, found "ghes\.internal"/,
  );
});

test("action.yml is a composite action whose inputs and outputs are described, here and in docs/ci.md", () => {
  assert.equal(action.runs.using, "composite");
  for (const [name, { description }] of Object.entries<{ description?: string }>({
    ...action.inputs,
    ...action.outputs,
  })) {
    assert.ok((description?.length ?? 0) > 10, name);
    assert.match(page, new RegExp(`^\\| \`${name}\` `, "m"));
  }
  assert.deepEqual(Object.keys(action.inputs), ["mode", "stack", "database", "working-directory", "token"]);
});

test("the action's script is shell, has inputs by the environment alone, and runs files that exist", () => {
  for (const step of action.runs.steps) {
    assert.equal(step.shell, "bash");
    assert.equal(spawnSync("bash", ["-n", "-c", step.run]).status, 0);
    assert.ok(!step.run.includes("${{"), "an input would be code");
    for (const [, input = ""] of JSON.stringify(step).matchAll(/\$\{\{ inputs\.([\w-]+) \}\}/g))
      assert.ok(input in action.inputs, input);
  }
  for (const file of ["pgstack", "cli/ci/report.ts"]) assert.ok(existsSync(join(projectRoot, file)), file);
  assert.match(textOf("cli/main.ts"), /"ci-report"/);
});

const examples = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);

test("every example of docs/ci.md is YAML, and uses inputs that the action has", () => {
  assert.equal(examples.length, 6);
  const steps = examples
    .map((text) => parse(text))
    .flatMap((file) =>
      Array.isArray(file)
        ? file
        : Object.values(file.jobs ?? {}).flatMap((job) => (job as { steps: [] }).steps),
    );
  const ours = steps.filter(({ uses }) => uses === "./");
  assert.equal(ours.length, 2);
  for (const { with: given } of ours)
    for (const input of Object.keys(given)) assert.ok(input in action.inputs, input);
});

test("the stack of a preview database is a configuration that pgstack takes", () => {
  const template = examples.find((text) => text.startsWith("# preview-stack.yaml")) ?? "";
  const { config } = parse(template.replaceAll("NUMBER", "12"));
  const values = Object.entries(config).map(([key, value]) => [key.slice("pgstack:".length), value]);
  const checked = checkConfig(Object.fromEntries(values));
  assert.ok("config" in checked, JSON.stringify(checked));
  assert.deepEqual([checked.config.database.name, checked.config.protect], ["shop_pr_12", false]);
});
