import * as v from "valibot";
import { ExitCode } from "../util/errors.ts";
import { checkRequest, parseRequest } from "../util/request.ts";

/** One flag of a command, such as `--out PATH`. */
export interface Flag {
  readonly type: "string" | "boolean";
  /** It may be given several times; its value is a list then. */
  readonly multiple?: true;
  /** One letter, without its dash. */
  readonly short?: string;
  /** What its value is called in the help text, such as PATH. */
  readonly value?: string;
  /** What it is for, in one line of the help text. */
  readonly about: string;
}

/** The flags of a command, by name without dashes. */
export type Flags = Readonly<Record<string, Flag>>;

/** What is known of the stack that a command line names. */
export interface StackFacts {
  /** The stack's name alone, without organization and project. */
  readonly name: string;
  /** The stack's outputs, secrets in clear. Empty before the first `up`. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** The keys of the namespace `pgstack`, without it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The name of the database's component, where a program holds its arguments and not the stack's file. */
  readonly component?: string;
}

/** What a command is called with. A command reads and writes nothing else of the process. */
export interface Call {
  /** Parsed flags by name. */
  readonly flags: { readonly [name: string]: string | boolean | (string | boolean)[] | undefined };
  /** Words that are not flags. */
  readonly words: readonly string[];
  /** Of the stack that `--stack` names; undefined where none is named, or where nobody looked it up. */
  readonly facts?: StackFacts | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** All of standard input (resources send their settings there as JSON). */
  readonly stdin: () => Promise<string>;
  /** The same a line at a time, as they come. */
  readonly lines: () => AsyncIterable<string>;
  /** A result, to standard output; a newline is added. */
  readonly print: (text: string) => void;
  /** Everything else, to standard error; a newline is added. */
  readonly log: (text: string) => void;
  /** True where standard error is a terminal: progress may redraw a line. */
  readonly terminal: boolean;
  /** The internal command of that name, for commands that run others. Undefined where there is none. */
  readonly internal: (name: string) => Promise<Command | undefined>;
}

/** What a stack's program asks, as JSON on a command's standard input. */
export interface Query<Request> {
  readonly request: Request;
  /** The variables that lead to the database: they are known later than the process starts. */
  readonly environment: Readonly<Record<string, string>>;
}

/** One command of the command line. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The call's form, without the leading `./pgstack`. */
  readonly usage: string;
  readonly flags: Flags;
  /** How many words come before one that may name the stack, as `--stack` does; undefined where none may. */
  readonly stackWord?: number;
  /** The stack where the command line names none. */
  readonly defaultStack?: string;
  /** Does the work; resolves to the exit code. Throws UserError for what a person can mend. */
  readonly run: (call: Call) => Promise<ExitCode>;
}

/** An object or a list, with whatever it holds. */
const anyObject = v.custom<object>(
  (value) => typeof value === "object" && value !== null,
  "an object or a list",
);

const QueryJson = v.object({ request: v.unknown(), environment: v.record(v.string(), v.string()) });

/**
 * A command that a stack's program asks while it runs: a query as JSON on standard input, the answer as JSON on standard output.
 *
 * @param schema what the request has to be; its text is refused where it is not
 */
export function queryCommand<Request>(
  name: string,
  summary: string,
  answer: (
    request: Request,
    environment: Query<Request>["environment"],
    log: Call["log"],
  ) => Promise<object | null | undefined>,
  schema: v.GenericSchema = anyObject,
): Command {
  return {
    summary,
    usage: `${name} < QUERY`,
    flags: {},
    run: async ({ stdin, print, log }) => {
      const query = parseRequest(QueryJson, await stdin(), "a query with request and environment");
      const request = checkRequest(schema, query.request, `the request of ${name}`) as Request;
      print(JSON.stringify((await answer(request, query.environment, log)) ?? null));
      return ExitCode.done;
    },
  };
}

/**
 * What the last run of a resource's command printed, or undefined at the first run and where it is no JSON. It comes with
 * the kept variables, under the name that Pulumi's command plugin gives it: an environment has no room for a long one.
 */
export function previousOutput<Result>(env: NodeJS.ProcessEnv): Result | undefined {
  try {
    return JSON.parse(env.PULUMI_COMMAND_STDOUT ?? "") as Result;
  } catch {
    return undefined;
  }
}
