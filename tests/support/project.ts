import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { removeInstance } from "../../runner/instance/local-instance.ts";
import { projectRoot } from "../../runner/util/project.ts";

/** How a program ended. */
export interface Outcome {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, one after the other. */
  readonly output: string;
}

/** What a run printed, which must succeed. */
export async function done(outcome: Promise<Outcome>): Promise<string> {
  const { code, output } = await outcome;
  if (code !== 0) throw new Error(output);
  return output;
}

/** A copy of the project in a folder of its own, with a fresh backend; what it started is gone after `close`. */
export interface TestProject extends AsyncDisposable {
  readonly directory: string;
  /** Runs `./pgstack` there, from a folder that is not the project's. */
  readonly pgstack: (...args: string[]) => Promise<Outcome>;
  /** Runs plain `pulumi`, with the variables that `./pgstack env` prints. */
  readonly pulumi: (...args: string[]) => Promise<Outcome>;
  /** Runs a line of shell there, with the same variables. */
  readonly shell: (line: string) => Promise<Outcome>;
  /** Starts `./pgstack` in a process group of its own, for tests that kill it. */
  readonly start: (...args: string[]) => ChildProcess;
  /** Writes `Pulumi.<stack>.yaml` with these keys of the namespace `pgstack`, keeping a salt that is there. */
  readonly configure: (stack: string, config: Readonly<Record<string, unknown>>) => void;
  readonly read: (path: string) => string;
  readonly write: (path: string, text: string) => void;
  readonly remove: (path: string) => void;
  /** The stack's outputs, secrets in clear. */
  readonly outputs: (stack: string) => Promise<Record<string, unknown>>;
  readonly close: () => Promise<void>;
}

const parts = [
  ...[
    "Pulumi.yaml",
    "Pulumi.dev.yaml",
    "Pulumi.prod.yaml",
    "package.json",
    "package-lock.json",
    "index.ts",
    "program.js",
  ],
  ...["bin", "cli", "components", "migrations", "models", "runner", "toolchain", "pgstack"],
];

/** A user's own choice of backend must not leak into a test's project, nor that the tests run on a CI. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const {
    CI,
    PGSTACK_PROJECT,
    PULUMI_BACKEND_URL,
    PULUMI_CONFIG_PASSPHRASE,
    PULUMI_CONFIG_PASSPHRASE_FILE,
    ...env
  } = process.env;
  return env;
}

/** Runs a program without what the suite's own environment says of Pulumi and CI. */
export function runClean(program: string, args: readonly string[], cwd: string): Promise<Outcome> {
  const options = { cwd, env: cleanEnvironment(), maxBuffer: 1 << 26 };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
      resolve({ code, stdout, stderr, output: stdout + stderr });
    }).stdin?.end();
  });
}

function copyProject(directory: string): void {
  for (const part of parts) cpSync(join(projectRoot, part), join(directory, part), { recursive: true });
  symlinkSync(join(projectRoot, "node_modules"), join(directory, "node_modules"));
}

function saltOf(file: string): Record<string, unknown> {
  try {
    const salt = /^encryptionsalt: *(\S+)$/m.exec(readFileSync(file, "utf8"))?.[1];
    return salt === undefined ? {} : { encryptionsalt: salt };
  } catch {
    return {};
  }
}

function writeStackFile(path: string, config: Readonly<Record<string, unknown>>): void {
  const keys = Object.entries(config).map(([key, value]) => [`pgstack:${key}`, value]);
  writeFileSync(path, stringify({ ...saltOf(path), config: Object.fromEntries(keys) }));
}

/** Makes a copy of the project. Its folder's name holds a blank on purpose: that breaks careless scripts. */
export function createProject(): TestProject {
  const directory = mkdtempSync(join(tmpdir(), "pgstack test-"));
  copyProject(directory);
  const stacks = new Set(["dev"]);
  const file = (path: string) => join(directory, path);
  const shell = (line: string, ...args: string[]) =>
    runClean("sh", ["-c", `eval "$(./pgstack env)" && ${line}`, "sh", ...args], directory);
  const pulumi = (...args: string[]) => shell('exec pulumi "$@"', ...args);
  const close = async () => {
    for (const stack of stacks)
      await removeInstance({ directory: file(`.pgstack/${stack}`), port: 0 }, () => {});
    rmSync(directory, { recursive: true, force: true });
  };
  return {
    directory,
    pgstack: (...args) => runClean(file("pgstack"), args, tmpdir()),
    pulumi,
    shell,
    start: (...args) =>
      spawn(file("pgstack"), args, { cwd: directory, env: cleanEnvironment(), detached: true }),
    configure: (stack, config) => {
      stacks.add(stack);
      writeStackFile(file(`Pulumi.${stack}.yaml`), config);
    },
    read: (path) => readFileSync(file(path), "utf8"),
    write: (path, text) => writeFileSync(file(path), text),
    remove: (path) => rmSync(file(path), { recursive: true, force: true }),
    outputs: async (stack) => {
      const answer = await pulumi("stack", "output", "--json", "--show-secrets", "--stack", stack);
      if (answer.code !== 0) throw new Error(answer.output);
      return JSON.parse(answer.stdout);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
