import { CommanderError, Option, Command as Parser } from "commander";
import { RefusedError } from "../util/errors.ts";
import type { Call, Command, Flag } from "./command.ts";
import { oneStack, type StackName } from "./stack-name.ts";

/** A command line, sorted. */
export interface Parsed extends Pick<Call, "flags" | "words"> {
  /** The stack that it names; `flags.stack` is its name alone. */
  readonly stack: StackName | undefined;
}

function optionOf([name, { type, multiple, short, value, about }]: [string, Flag]): Option {
  const placeholder = type === "boolean" ? "" : ` <${value ?? "VALUE"}>`;
  const option = new Option(`${short === undefined ? "" : `-${short}, `}--${name}${placeholder}`, about);
  // the last one counts, but for lists, and for the stack, where two that differ are refused
  const isList = type === "string" && (multiple === true || name === "stack");
  return isList ? option.argParser((text, before: string[] = []) => [...before, text]) : option;
}

/** The parser of one command, which prints nothing and ends nothing by itself. */
export function parserOf(command: Command): Parser {
  const parser = new Parser()
    .configureHelp({ commandUsage: () => command.usage })
    .description(`${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`)
    .helpOption("-h, --help", "this text")
    .argument("[words...]")
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} });
  for (const flag of Object.entries(command.flags)) parser.addOption(optionOf(flag));
  return parser;
}

function valuesOf(parser: Parser): Record<string, string | boolean | string[] | undefined> {
  return Object.fromEntries(
    parser.options.map((option) => [option.name(), parser.getOptionValue(option.attributeName())]),
  );
}

/** A word that stands where a stack may, unless there are others behind it. */
function stackWord({ stackWord: at }: Command, words: readonly string[]): string[] {
  return at !== undefined && words.length === at + 1 ? [words[at] as string] : [];
}

function sorted(
  command: Command,
  parser: Parser,
  words: readonly string[],
  others: readonly string[],
): Parsed {
  const { stack: named = [], ...flags } = valuesOf(parser);
  const word = flags.url === undefined ? stackWord(command, words) : []; // with a URL there is no stack to name
  const spelled = (named as string[]).map((text) => text.replace(/^=/, "")); // -s=S, as Pulumi takes it
  const chosen = [...spelled, ...word];
  const fallback = command.defaultStack === undefined ? [] : [command.defaultStack];
  const stack = oneStack(chosen.length > 0 ? chosen : fallback);
  const own = words.slice(0, words.length - word.length);
  return { flags: { ...flags, stack: stack?.stack }, words: [...own, ...others], stack };
}

/**
 * Sorts a command's arguments into flags and words; what follows `--` are words. Throws RefusedError that shows how the
 * command is used.
 */
export function parseWords(command: Command, args: readonly string[]): Parsed {
  const dashes = args.indexOf("--");
  const own = dashes < 0 ? args : args.slice(0, dashes);
  const parser = parserOf(command);
  try {
    parser.parse(own, { from: "user" }); // a number such as -1, one step back, is a word
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const reason = error.message.replace(/^error: /, "");
    throw new RefusedError(`${reason}\nUsage: ./pgstack ${command.usage}`, { cause: error });
  }
  return sorted(command, parser, parser.args, dashes < 0 ? [] : args.slice(dashes + 1));
}
