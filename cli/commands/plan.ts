import { writeFileSync } from "node:fs";
import { parseWords } from "../../runner/cli/arguments.ts";
import type { Call, Command, Flags } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { jsonFlag, stackFlag } from "../../runner/cli/target.ts";
import { makePlan, type PlanInput } from "../../runner/plan/plan.ts";
import { exitCodeOf, type Format, formatOf, formats, renderPlan } from "../../runner/plan/render/render.ts";
import { RefusedError } from "../../runner/util/errors.ts";
import type { StackCommand } from "../command.ts";
import { planInput } from "../stack/plan-input.ts";

const flags = {
  stack: { ...stackFlag, about: "the stack (default: dev)" },
  database: { type: "string", value: "NAME", about: "the database, where the stack has several" },
  format: { type: "string", value: "FORMAT", about: `${formats.join(", ")} (default: text)` },
  json: jsonFlag,
  out: { type: "string", value: "FILE", about: "write it there instead of to standard output" },
} satisfies Flags;

type Given = Pick<Call, "flags">["flags"];

function chosenFormat({ format, json }: Given): Format {
  if (json === true && format !== undefined && format !== "json")
    throw new RefusedError(`Expected one of --json and --format, found both.`);
  return json === true ? "json" : formatOf(String(format ?? "text"));
}

/** Throws RefusedError where a call names another database than the stack's. */
function refuseOtherDatabase({ facts }: PlanInput, wanted: Given[string]): void {
  const { name } = (facts.config.database ?? {}) as { name?: string };
  if (wanted !== undefined && wanted !== name)
    throw new RefusedError(`Stack "${facts.name}" has no database "${wanted}"; it has: ${name ?? "none"}`);
}

const parsed: Command = {
  summary:
    "says in the words of PostgreSQL what up would do; exit code 3 for changes, 2 where up would refuse",
  usage: `plan [STACK] [--database NAME] [--format ${formats.join("|")}] [--out FILE]`,
  flags,
  stackWord: 0,
  defaultStack: "dev",
  run: async () => 0,
};

const plan: StackCommand = {
  ...parsed,
  run: async (args, { log, print, env }) => {
    const { flags: given, stack, words } = parseWords(parsed, args);
    if (words.length > 0) throw new RefusedError(`Expected one stack, found "${words.join(" ")}".`);
    const format = chosenFormat(given);
    const input = await planInput(stack as StackName, log);
    refuseOtherDatabase(input, given.database);
    const found = await makePlan(input);
    const toFile = typeof given.out === "string";
    const coloured = !toFile && process.stdout.isTTY === true && env.NO_COLOR === undefined;
    const text = renderPlan(found, format, coloured);
    if (toFile) writeFileSync(String(given.out), `${text}\n`);
    else print(text);
    return exitCodeOf(found);
  },
};

export default plan;
