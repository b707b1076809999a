import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../runner/postgres/cluster.ts";
import { createProject, done, type TestProject } from "../../tests/support/project.ts";

export function nameOf(index: number): string {
  return `2024010100${String(index).padStart(4, "0")}_table_${index}`;
}

export const upOf = (index: number) => `CREATE TABLE t_${index} (id bigint PRIMARY KEY, name text NOT NULL);`;
const downOf = (index: number) => `DROP TABLE t_${index};`;

/** Puts so many generated migrations into a project, instead of its own. */
export function writeMigrations(project: TestProject, count: number): void {
  const folder = join(project.directory, "migrations");
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  for (let index = 0; index < count; index++)
    writeFileSync(
      join(folder, `${nameOf(index)}.sql`),
      `-- migrate: up\n${upOf(index)}\n-- migrate: down\n${downOf(index)}\n`,
    );
}

/** The project with a local instance, a database, a readonly role, and what `changes` adds to its configuration. */
export async function projectOnFreePort(changes: Record<string, unknown> = {}): Promise<TestProject> {
  const project = createProject();
  const database = { name: "bench", owner: "bench_owner" };
  const roles = [{ name: "bench_reader", access: "readonly" }];
  project.configure("dev", {
    instance: { kind: "local", port: await freePort() },
    database,
    roles,
    ...changes,
  });
  return project;
}

/** A stack of another program, brought up. */
async function stackOf(program: string): Promise<TestProject> {
  const project = createProject();
  project.write("index.ts", program);
  project.configure("dev", {});
  await done(project.pulumi("stack", "init", "dev"));
  await done(project.pulumi("up", "--yes", "--skip-preview", "--stack", "dev"));
  return project;
}

/** A program that declares nothing. */
export const emptyStack = () => stackOf('import "@pulumi/pulumi";\n');

/** A program of so many bare Commands, one after the other. */
export const commandsStack = (count: number) =>
  stackOf(`import { local } from "@pulumi/command";
let previous = new local.Command("command-0", {});
for (let i = 1; i <= ${count}; i++)
  previous = new local.Command(\`command-\${i}\`, { stdin: "x".repeat(200) }, { dependsOn: [previous] });
`);

export const destroyed = (project: TestProject) => () =>
  done(project.pulumi("destroy", "--yes", "--stack", "dev"));

export const preview = (project: TestProject) => () =>
  done(project.pulumi("preview", "--stack", "dev", "--expect-no-changes"));
