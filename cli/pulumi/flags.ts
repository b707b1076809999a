import { oneStack, type StackName } from "../../runner/cli/stack-name.ts";
import { RefusedError } from "../../runner/util/errors.ts";

/**
 * Flags that take the next word as their value: Pulumi's (`pulumi up --help`, 3.274), without those that take one only
 * after "=", and those of `upgrade` and `downgrade`.
 */
const valued = new Set([
  ...[
    "client",
    "config",
    "config-file",
    "exclude",
    "exec-agent",
    "exec-kind",
    "import-file",
    "import-pending-creates",
  ],
  ...[
    "message",
    "override-env",
    "parallel",
    "plan",
    "policy-pack",
    "policy-pack-config",
    "replace",
    "save-plan",
  ],
  ...["secrets-provider", "stack", "target", "target-replace"],
  ...["approved", "url", "directory", "table", "lock-timeout", "statement-timeout", "out-of-order"],
  ...["color", "cwd", "memprofilerate", "otel-traces", "profiling", "tracing", "verbose"],
]);

/** Their letters. */
const letters: Readonly<Record<string, string>> = {
  c: "config",
  C: "cwd",
  d: "debug",
  e: "emoji",
  f: "skip-preview",
  h: "help",
  j: "json",
  m: "message",
  p: "parallel",
  Q: "fully-qualify-stack-names",
  r: "refresh",
  s: "stack",
  t: "target",
  v: "verbose",
  x: "exclude",
  y: "yes",
};

/** One flag as it stands on a command line. */
interface Given {
  readonly name: string;
  /** Undefined where it takes none, or none was given. */
  readonly value: string | undefined;
  /** Its words, to hand on to Pulumi. */
  readonly words: readonly string[];
}

/** A command line for Pulumi, sorted. */
export interface PulumiArguments {
  readonly stack: StackName | undefined;
  /** Words that are neither flags nor values of flags. */
  readonly words: readonly string[];
  readonly flags: readonly Given[];
}

function longFlag(word: string, next: string | undefined): { flags: Given[]; taken: number } {
  const [name = "", ...rest] = word.slice(2).split("=");
  if (rest.length > 0) return { flags: [{ name, value: rest.join("="), words: [word] }], taken: 1 };
  if (!valued.has(name) || next === undefined)
    return { flags: [{ name, value: undefined, words: [word] }], taken: 1 };
  return { flags: [{ name, value: next, words: [word, next] }], taken: 2 };
}

/** `-ys prod`, `-ysprod` and `-s=prod`, as Pulumi reads them: https://pkg.go.dev/github.com/spf13/pflag */
function shortFlags(word: string, next: string | undefined): { flags: Given[]; taken: number } {
  const flags: Given[] = [];
  for (let at = 1; at < word.length; at++) {
    const letter = word[at] as string;
    const name = letters[letter] ?? letter;
    const rest = word.slice(at + 1);
    if (rest.startsWith("=") || (valued.has(name) && rest !== "")) {
      const value = rest.replace(/^=/, "");
      return { flags: [...flags, { name, value, words: [`-${letter}=${value}`] }], taken: 1 };
    }
    if (valued.has(name) && next !== undefined)
      return { flags: [...flags, { name, value: next, words: [`-${letter}`, next] }], taken: 2 };
    flags.push({ name, value: undefined, words: [`-${letter}`] });
  }
  return { flags, taken: 1 };
}

/**
 * Sorts a command line as Pulumi does, so that a stack is seen in each spelling: --stack S, --stack=S, -s S, -sS, or the bare
 * name after `ownWords` others. Throws RefusedError for two different stacks, and for words that Pulumi would take for
 * something else.
 *
 * @param ownWords how many words may come before the stack's name, such as a revision
 */
export function readPulumiArguments(args: readonly string[], ownWords = 0): PulumiArguments {
  const words: string[] = [];
  const flags: Given[] = [];
  for (let at = 0; at < args.length; ) {
    const word = args[at] as string;
    const next = args[at + 1];
    const isFlag = /^-./.test(word) && word !== "--" && !/^-\d+$/.test(word);
    const { flags: found, taken } = !isFlag
      ? { flags: [], taken: 1 }
      : word.startsWith("--")
        ? longFlag(word, next)
        : shortFlags(word, next);
    if (!isFlag && word !== "--") words.push(word);
    flags.push(...found);
    at += taken;
  }
  return sorted(words, flags, ownWords);
}

function sorted(words: readonly string[], flags: readonly Given[], ownWords: number): PulumiArguments {
  const named = flags.filter(({ name }) => name === "stack");
  const bare = words.slice(ownWords);
  if (bare.length > 1)
    throw new RefusedError(
      `Expected one stack, found the words ${bare.map((word) => `"${word}"`).join(" and ")}.`,
    );
  if (flags.some(({ name }) => name === "cwd"))
    throw new RefusedError("--cwd leads to another project: run pulumi there itself.");
  const stack = oneStack([...named.map(({ value = "" }) => value), ...bare]);
  return { stack, words: words.slice(0, ownWords), flags: flags.filter(({ name }) => name !== "stack") };
}

/** Whether a flag that says yes or no was given as yes. */
export function isSet({ flags }: Pick<PulumiArguments, "flags">, name: string): boolean {
  const value = flags.findLast((flag) => flag.name === name)?.value;
  const given = flags.some((flag) => flag.name === name);
  return given && !["false", "f", "0"].includes((value ?? "").toLowerCase());
}

/** The same arguments without a flag that is ours and not Pulumi's. */
export function without(given: PulumiArguments, name: string): PulumiArguments {
  return { ...given, flags: given.flags.filter((flag) => flag.name !== name) };
}

/** The flags as words, to hand on. */
export function wordsOf({ flags }: Pick<PulumiArguments, "flags">): string[] {
  return flags.flatMap(({ words }) => words);
}
