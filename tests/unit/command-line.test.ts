import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { type Described, describeCommand, names } from "../../cli/all-commands.ts";
import { commandText } from "../../cli/help.ts";
import { isSet, readPulumiArguments, wordsOf } from "../../cli/pulumi/flags.ts";
import { internalCommand } from "../../runner/commands/index.ts";
import { RefusedError } from "../../runner/util/errors.ts";
import { projectRoot } from "../../runner/util/project.ts";

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function run(program: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(projectRoot, program), ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

test("--help of every command says how it is called and what each of its flags is for", async () => {
  for (const name of names) {
    const described = (await describeCommand(name)) as Described;
    const text = commandText(described);
    assert.ok(text.startsWith(`Usage: ./pgstack ${described.usage}\n`), text);
    for (const flag of Object.keys(described.flags))
      assert.match(text, new RegExp(`--${flag}( <\\S+>)?\\s+\\S`), `${name} --${flag}`);
  }
  const { code, stdout } = await run("cli/main.ts", ["up", "prod", "--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: \.\/pgstack up \[STACK\].*pulumi up --help/s);
});

test("the version is the package's, and what is unknown is refused with what is known", async () => {
  assert.match((await run("cli/main.ts", ["--version"])).stdout, /^pgstack \d+\.\d+\.\d+\n$/);
  const unknown = await run("cli/main.ts", ["stauts"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /^error: Expected a command, found "stauts". Known: up, preview/);
  const flag = await run("cli/main.ts", ["status", "--nope"]);
  assert.equal(flag.code, 2);
  assert.match(flag.stderr, /unknown option '--nope'\nUsage: \.\/pgstack status/);
});

test("a shell completes commands, flags and stacks", async () => {
  const complete = async (...words: string[]) =>
    (await run("cli/main.ts", ["complete-words", ...words])).stdout.trim().split("\n");
  assert.deepEqual(await complete("sta"), ["status"]);
  assert.deepEqual(await complete("dump", "--exc"), ["--exclude-table-data"]);
  assert.ok((await complete("up", "")).includes("dev"));
  for (const shell of ["bash", "zsh", "fish"])
    assert.match((await run("cli/main.ts", ["completion", shell])).stdout, /complete-words/);
});

test("arguments for pulumi are read as pulumi reads them, and handed on as they are", () => {
  const read = (...args: string[]) => {
    const given = readPulumiArguments(args);
    return [given.stack?.given, ...wordsOf(given)];
  };
  assert.deepEqual(read("--target", "two", "prod"), ["prod", "--target", "two"]);
  assert.deepEqual(read("-t", "two", "--yes"), [undefined, "-t", "two", "--yes"]);
  assert.deepEqual(read("-ys", "prod", "--diff"), ["prod", "-y", "--diff"]);
  assert.deepEqual(read("-fysprod"), ["prod", "-f", "-y"]);
  assert.deepEqual(read("--refresh", "prod"), ["prod", "--refresh"]);
  assert.deepEqual(read("--message=a b", "-p", "4"), [undefined, "--message=a b", "-p", "4"]);
  assert.ok(isSet(readPulumiArguments(["-fy"]), "yes"));
  assert.ok(!isSet(readPulumiArguments(["--yes=false"]), "yes"));
  assert.throws(() => readPulumiArguments(["one", "two"]), /Expected one stack/);
  assert.throws(() => readPulumiArguments(["-C", "/elsewhere"]), /another project/);
});

/** Internal commands that read a request. `serve` answers each line by itself. */
const readers = [
  ...[
    "cutover-freeze",
    "cutover-check",
    "cutover-verify",
    "cutover-thaw",
    "cutover-resume",
    "cutover-rehearse",
  ],
  ...["cutover-prepare", "cutover-pause", "cutover-copy", "cutover-complete", "dump-ensure", "dump-delete"],
  ...["instance-ensure", "instance-remove", "migrations-apply", "migration-revert", "migrations-read"],
  ...["migrations-check", "password-generate", "rights-check", "role-grants", "role-probe", "role-retire"],
  ...["roles-probe", "restore-ensure", "restore-check"],
];

test("every internal command refuses a request that is malformed or incomplete, and says what it expected", async () => {
  for (const name of readers)
    for (const text of ["{}", "no JSON", "null", "[]", ""]) {
      const command = await internalCommand(name);
      const surroundings = { flags: {}, words: [], env: {}, terminal: false, internal: internalCommand };
      const streams = {
        stdin: async () => text,
        lines: async function* () {},
        print: () => {},
        log: () => {},
      };
      await assert.rejects(
        async () => command?.run({ ...surroundings, ...streams }),
        (error) => error instanceof RefusedError && /^Expected .* on standard input/.test(error.message),
        `${name} < ${text}`,
      );
    }
});
