import type { StackFacts } from "../cli/target.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

/** One key as `pulumi config --json` prints it. */
interface Setting {
  readonly value?: string;
  readonly objectValue?: unknown;
}

const namespace = "pgstack:";

function valueOf({ value, objectValue }: Setting): unknown {
  if (objectValue !== undefined) return objectValue;
  return value === "true" ? true : value === "false" ? false : value;
}

function configOf(settings: Readonly<Record<string, Setting>>): StackFacts["config"] {
  const ours = Object.entries(settings).filter(([key]) => key.startsWith(namespace));
  return Object.fromEntries(ours.map(([key, setting]) => [key.slice(namespace.length), valueOf(setting)]));
}

const facts: Verb = {
  summary: "puts a stack's outputs and configuration into the form that verbs read from PGSTACK_STACK",
  usage: "stack-facts, with STACK, OUTPUTS and SETTINGS in the environment",
  flags: {},
  run: async ({ env, print }) => {
    const { STACK = "", OUTPUTS = "{}", SETTINGS = "{}" } = env;
    const found: StackFacts = {
      name: STACK,
      outputs: JSON.parse(OUTPUTS),
      config: configOf(JSON.parse(SETTINGS)),
    };
    print(JSON.stringify(found));
    return ExitCode.done;
  },
};

export default facts;
