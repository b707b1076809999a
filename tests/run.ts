import { spawn, spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { run as runTests } from "node:test";
import { spec } from "node:test/reporters";
import { projectRoot } from "../runner/util/project.ts";

/** How many checks of a step passed and failed. */
interface Tally {
  readonly passed: number;
  readonly failed: number;
}

const toolchain = join(projectRoot, "toolchain");

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fault(text: string): Tally {
  say(`FAILED ${text}`);
  return { passed: 0, failed: 1 };
}

/** One program whose exit code is the result; what it prints is shown. */
function check(
  name: string,
  program: string,
  args: string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Tally> {
  say(`checking ${name}`);
  return new Promise((resolve) => {
    spawn(program, args, { cwd: projectRoot, stdio: ["ignore", "inherit", "inherit"], ...options })
      .on("error", (error) => resolve(fault(`${name}: ${error.message}`)))
      .on("close", (code) => resolve(code === 0 ? { passed: 1, failed: 0 } : fault(`${name}: exit ${code}`)));
  });
}

/** gofmt lists what is not formatted, and exits 0 all the same. */
function checkGoFormat(): Tally {
  say("checking gofmt");
  const { stdout = "", error } = spawnSync("gofmt", ["-l", "."], { cwd: toolchain, encoding: "utf8" });
  if (error !== undefined) return fault(`gofmt: ${error.message}`);
  return stdout.trim() === ""
    ? { passed: 1, failed: 0 }
    : fault(`gofmt: ${stdout.trim().replaceAll("\n", ", ")}`);
}

async function checkGo(): Promise<Tally[]> {
  if (spawnSync("go", ["version"]).status !== 0) {
    say("no Go here: the toolchain that is built from Go modules, which needs it, is not tested");
    return [];
  }
  // as toolchain/build.sh builds: with other flags Go would compile the engine's packages once more, for ten minutes
  const options = { cwd: toolchain, env: { ...process.env, GOFLAGS: "-trimpath" } };
  return [
    checkGoFormat(),
    await check("go vet", "go", ["vet", "./..."], options),
    await check("go test", "go", ["test", "./..."], options),
  ];
}

/** Node's own test runner over files, some at a time; `env` counts from now on. */
function testFiles(
  files: readonly string[],
  concurrency: number,
  env: Record<string, string> = {},
): Promise<Tally> {
  return new Promise((resolve) => {
    Object.assign(process.env, env);
    const stream = runTests({ files: [...files].sort(), concurrency });
    stream.on("test:summary", ({ file, counts }) => {
      if (file === undefined)
        resolve({ passed: counts.passed, failed: counts.tests - counts.passed - counts.skipped });
    });
    stream.compose(new spec()).pipe(process.stdout, { end: false });
  });
}

function testFolder(folder: string, concurrency: number): Promise<Tally> {
  say(`running the ${folder} tests`);
  const files = globSync(`tests/${folder}/**/*.test.ts`, { cwd: projectRoot });
  return testFiles(
    files.map((file) => join(projectRoot, file)),
    concurrency,
  );
}

/**
 * What runs once more as the administrator of a managed service: rights, and migrations by hand. Adoption, dump and restore,
 * cutover and a stack's whole life have files of their own for such an administrator.
 */
const asManagedToo = ["role-grants", "migrations-commands", "migrations-server", "migrations-baseline"];

function testAsManaged(): Promise<Tally> {
  say("running a chosen set of the acceptance tests as the administrator of a managed service");
  const files = asManagedToo.map((name) => join(projectRoot, "tests", "acceptance", `${name}.test.ts`));
  return testFiles(files, 2, { PGSTACK_TEST_ADMIN: "managed" });
}

const tallies = [
  await check("types", "tsc", ["--noEmit"]),
  await check("format and lint", "biome", ["check", "."]),
  ...(await checkGo()),
  await testFolder("unit", 2),
  await testFolder("acceptance", 2),
  await testAsManaged(),
];
const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
process.exitCode = failed === 0 ? 0 : 1;
process.on("exit", () => say(`${passed} passed, ${failed} failed`));
