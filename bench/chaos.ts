/**
 * A hundred random steps of two stacks in one project: edit, go back, rotate, drift by hand, kill. After each step a preview, an
 * `up`, and the checks: the update did what the preview had said, a second preview finds nothing to do, every row that was
 * written is there unless a named step dropped its table, and every declared role logs in and reads.
 * Usage: node bench/chaos.ts [STEPS, default 100] [SEED]. Prints each step and what is wrong; ends with 1 where something is.
 */

import { connectionFromUrl } from "../runner/postgres/connection.ts";
import { createProject, done } from "../tests/support/project.ts";
import { randomFrom } from "../tests/support/random.ts";
import { startThrowawayCluster } from "../tests/support/throwaway-cluster.ts";
import { expectedTables, faultsOf, forgetDropped, type StackModel } from "./chaos/model.ts";
import { addTable, type ChaosStack, configure, type Step, steps } from "./chaos/steps.ts";

const count = Number(process.argv[2] ?? 100);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const random = randomFrom(seed);
const say = (line: string) => process.stdout.write(`${line}\n`);

function modelOf(name: string): StackModel {
  const roles = [
    { name: `${name}-reader`, access: "readonly" as const, connectionLimit: 5, passwordVersion: 1 },
  ];
  return {
    name,
    directory: `chaos-${name}`,
    tables: [],
    kept: undefined,
    roles,
    adopted: [],
    passwords: {},
    rows: new Map(),
  };
}

/** How many resources a preview or an update creates, changes and deletes, as Pulumi sums it up. */
function countsOf(output: string): string {
  const line = (pattern: RegExp) => pattern.exec(output)?.[1] ?? "0";
  const parts = [
    ["create", /\+ (\d+) (?:to create|created)/],
    ["update", /~ (\d+) (?:to update|updated)/],
    ["delete", /- (\d+) (?:to delete|deleted)/],
    ["replace", /\+-\s?(\d+) (?:to replace|replaced)/],
  ] as const;
  return parts.map(([name, pattern]) => `${name} ${line(pattern)}`).join(", ");
}

async function checked({ project, model }: ChaosStack, killed: boolean): Promise<string[]> {
  const stack = ["--stack", model.name];
  const preview = await project.pgstack("preview", ...stack);
  if (preview.code !== 0) return [`preview ended with ${preview.code}: ${preview.output}`];
  const update = await project.pgstack("up", ...stack, "--yes", "--skip-preview");
  if (update.code !== 0) return [`up ended with ${update.code}: ${update.output}`];
  forgetDropped(model);
  const [foretold, happened] = [countsOf(preview.output), countsOf(update.output)];
  // an update that takes over what a killed one had begun knows more than the preview before it
  const differs = killed || foretold === happened ? [] : [`preview said ${foretold}; up did ${happened}`];
  const again = await project.pgstack("preview", ...stack, "--expect-no-changes");
  const unsettled = again.code === 0 ? [] : [`a second preview is not empty: ${again.output}`];
  const urls = (await project.outputs(model.name)).urls as Record<string, string>;
  return [...differs, ...unsettled, ...(await faultsOf(model, urls))];
}

await using project = createProject();
await using cluster = await startThrowawayCluster();
const { host, port, user, password } = cluster.admin;
const existing = {
  kind: "existing",
  host,
  port,
  adminUser: user,
  adminDatabase: "postgres",
  sslMode: "disable",
};

const dev: ChaosStack = {
  project,
  random,
  model: modelOf("dev"),
  instance: { instance: { kind: "local" } },
  admin: async () => {
    const { admin } = (await project.outputs("dev")) as { admin: { port: number; password: string } };
    const url = `postgres://postgres:${encodeURIComponent(admin.password)}@127.0.0.1:${admin.port}/dev_db?sslmode=disable`;
    return connectionFromUrl(url, {});
  },
};
const two: ChaosStack = {
  project,
  random,
  model: modelOf("two"),
  instance: { instance: existing, adminPassword: password },
  admin: async () => ({ ...cluster.admin, database: "two_db" }),
};

async function begin(stack: ChaosStack): Promise<void> {
  for (const number of [1, 2, 3]) addTable(stack, number);
  configure(stack);
  if (stack === two) await done(project.pulumi("stack", "init", "two"));
  await done(project.pgstack("up", "--stack", stack.model.name, "--yes", "--skip-preview"));
}

function chooseStep(stack: ChaosStack): Step {
  const fitting = steps.filter(({ fits }) => fits(stack));
  return fitting[random(fitting.length)] as Step;
}

say(`seed ${seed}, ${count} steps`);
await begin(dev);
await begin(two);
let wrong = 0;
for (let index = 1; index <= count; index++) {
  const stack = random(2) === 0 ? dev : two;
  const step = chooseStep(stack);
  await step.run(stack);
  configure(stack);
  const faults = await checked(stack, step.name === "kill an update");
  wrong += faults.length;
  const tables = expectedTables(stack.model).length;
  say(
    `${index} ${stack.model.name}: ${step.name} (${tables} tables, ${stack.model.roles.length} roles)${faults.length === 0 ? "" : ": WRONG"}`,
  );
  for (const fault of faults) say(`  ${fault.replaceAll("\n", "\n    ")}`);
}
for (const { model } of [two, dev]) await done(project.pgstack("destroy", "--stack", model.name, "--yes"));
say(`${count} steps, ${wrong} faults, seed ${seed}`);
process.exitCode = wrong === 0 ? 0 : 1;
