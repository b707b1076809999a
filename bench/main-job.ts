// The main job against its peers, in one run, best of five:   node bench/main-job.ts [ROUNDS]
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Umzug } from "umzug";
import { withClient } from "../runner/connection.ts";
import { freePort } from "../runner/server/cluster.ts";
import { startThrowawayCluster } from "../runner/server/throwaway-cluster.ts";
import { createProject, type Outcome, type TestProject } from "../tests/support/project.ts";
import { bestOf, report, seconds } from "./support/measure.ts";

const rounds = Number(process.argv[2] ?? 5);
const generated = 300;

async function done(outcome: Promise<Outcome>): Promise<void> {
  const { code, output } = await outcome;
  if (code !== 0) throw new Error(output);
}

function nameOf(index: number): string {
  return `2024010100${String(index).padStart(4, "0")}_table_${index}`;
}

const upOf = (index: number) => `CREATE TABLE t_${index} (id bigint PRIMARY KEY, name text NOT NULL);`;
const downOf = (index: number) => `DROP TABLE t_${index};`;
const numbers = Array.from({ length: generated }, (_, index) => index);

async function projectOnFreePort(): Promise<TestProject> {
  const project = createProject();
  const database = { name: "bench", owner: "bench_owner" };
  const roles = [{ name: "bench_reader", access: "readonly" }];
  project.configure("dev", { instance: { kind: "local", port: await freePort() }, database, roles });
  return project;
}

/** A copy of the project whose program is another one. */
function projectWithProgram(program: string): TestProject {
  const project = createProject();
  project.write("index.ts", program);
  project.configure("dev", {});
  return project;
}

const emptyProgram = 'import "@pulumi/pulumi";\n';
const commandsProgram = `import { local } from "@pulumi/command";
let previous = new local.Command("command-0", {});
for (let i = 1; i <= ${generated}; i++)
  previous = new local.Command(\`command-\${i}\`, { stdin: "x".repeat(200) }, { dependsOn: [previous] });
`;

async function nothingToDo(): Promise<void> {
  await using ours = await projectOnFreePort();
  await using empty = projectWithProgram(emptyProgram);
  await done(ours.pgstack("up"));
  await done(empty.pulumi("stack", "init", "dev"));
  await done(empty.pulumi("up", "--yes", "--stack", "dev"));
  const best = await bestOf(rounds, {
    preview: { run: () => done(ours.pulumi("preview", "--stack", "dev")) },
    empty: { run: () => done(empty.pulumi("preview", "--stack", "dev")) },
    pgstackUp: { run: () => done(ours.pgstack("up")) },
    pulumiUp: { run: () => done(ours.pulumi("up", "--yes", "--stack", "dev")) },
  });
  report("no-op preview", best.preview as number, best.empty as number, "an empty program's");
  report("./pgstack up with nothing to do", best.pgstackUp as number, best.pulumiUp as number, "pulumi up");
  await done(ours.pgstack("destroy"));
}

/** Seconds that Umzug takes for the same migrations with no more than a table of names. */
async function bareUmzug(): Promise<number> {
  await using cluster = await startThrowawayCluster();
  return await withClient(cluster.admin, async (client) => {
    await client.query("CREATE TABLE history (name text PRIMARY KEY)");
    const storage = {
      logMigration: async ({ name }: { name: string }) =>
        void (await client.query("INSERT INTO history VALUES ($1)", [name])),
      unlogMigration: async () => {},
      executed: async () => (await client.query("SELECT name FROM history")).rows.map(({ name }) => name),
    };
    const migrations = numbers.map((index) => ({ name: nameOf(index), up: () => client.query(upOf(index)) }));
    return seconds(() => new Umzug({ migrations, storage, logger: undefined }).up());
  });
}

/** The first up of many migrations, against the same in a bare loop plus what the engine takes for as many resources. */
async function manyMigrations(): Promise<void> {
  await using ours = await projectOnFreePort();
  await using engine = projectWithProgram(commandsProgram);
  await done(ours.pgstack("up"));
  await done(engine.pulumi("stack", "init", "dev"));
  const destroyed = (project: TestProject) => () =>
    done(project.pulumi("destroy", "--yes", "--stack", "dev"));
  rmSync(join(ours.directory, "migrations"), { recursive: true });
  await done(ours.pgstack("destroy"));
  mkdirSync(join(ours.directory, "migrations"));
  for (const index of numbers)
    writeFileSync(
      join(ours.directory, "migrations", `${nameOf(index)}.sql`),
      `-- migrate: up\n${upOf(index)}\n-- migrate: down\n${downOf(index)}\n`,
    );
  const umzug = Math.min(...(await Array.fromAsync({ length: rounds }, bareUmzug)));
  const best = await bestOf(rounds, {
    ours: { before: destroyed(ours), run: () => done(ours.pgstack("up", "--skip-preview")) },
    engine: {
      before: destroyed(engine),
      run: () => done(engine.pulumi("up", "--yes", "--skip-preview", "--stack", "dev")),
    },
  });
  const peer = umzug + (best.engine as number);
  report(
    `first up with ${generated} migrations`,
    best.ours as number,
    peer,
    "bare Umzug plus the engine for as many resources",
  );
  await done(ours.pgstack("destroy"));
}

await nothingToDo();
await manyMigrations();
