import { writeFileSync } from "node:fs";
import { parseWords } from "../../runner/cli/arguments.ts";
import type { Call, Command, Flags } from "../../runner/cli/command.ts";
import type { StackName } from "../../runner/cli/stack-name.ts";
import { jsonFlag, stackFlag } from "../../runner/cli/target.ts";
import { type Format, formatOf, formats } from "../../runner/plan/render/render.ts";
import { RefusedError } from "../../runner/util/errors.ts";

/** The flags of a command that reports on a stack in several forms. */
export const reportFlags = {
  stack: { ...stackFlag, about: "the stack (default: dev)" },
  database: { type: "string", value: "NAME", about: "the database, where the stack has several" },
  format: { type: "string", value: "FORMAT", about: `${formats.join(", ")} (default: text)` },
  json: jsonFlag,
  out: { type: "string", value: "FILE", about: "write it there instead of to standard output" },
} satisfies Flags;

/** How these flags are shown. */
export const reportUsage = `[--database NAME] [--format ${formats.join("|")}] [--out FILE]`;

type Given = Call["flags"];

function chosenFormat({ format, json }: Given): Format {
  if (json === true && format !== undefined && format !== "json")
    throw new RefusedError("Expected one of --json and --format, found both.");
  return json === true ? "json" : formatOf(String(format ?? "text"));
}

/** A report's call, sorted. */
export interface ReportCall {
  readonly flags: Given;
  readonly name: StackName;
  readonly format: Format;
}

/** Reads the arguments of a report. Throws RefusedError. */
export function readReportCall(command: Omit<Command, "run">, args: readonly string[]): ReportCall {
  const parsed = parseWords({ ...command, stackWord: 0, defaultStack: "dev", run: async () => 0 }, args);
  const { flags, stack, words } = parsed;
  if (words.length > 0) throw new RefusedError(`Expected one stack, found the words "${words.join(" ")}".`);
  return { flags, name: stack as StackName, format: chosenFormat(flags) };
}

/** What a report is about: its stack, and one of the stack's databases. */
export function subjectOf({ name, flags: { database } }: ReportCall, { log }: Pick<Call, "log">) {
  return { name, database: typeof database === "string" ? database : undefined, log };
}

/** Writes a report to `--out`, or prints it, with colours where a terminal shows it. */
export function writeReport(
  { flags: { out } }: ReportCall,
  { print, env }: Pick<Call, "print" | "env">,
  render: (coloured: boolean) => string,
): void {
  if (typeof out === "string") writeFileSync(out, `${render(false)}\n`);
  else print(render(process.stdout.isTTY === true && env.NO_COLOR === undefined));
}
