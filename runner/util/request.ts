import * as v from "valibot";
import { RefusedError } from "./errors.ts";

function kindOf(input: unknown): string {
  if (input === undefined) return "nothing";
  return input === null ? "null" : Array.isArray(input) ? "a list" : `a ${typeof input}`;
}

const fault = (issue: v.BaseIssue<unknown>) =>
  `  ${v.getDotPath(issue) ?? "the whole"}: expected ${issue.expected ?? "another value"}, found ${kindOf(issue.input)}`;

/**
 * Reads the JSON that a command takes on standard input. Throws RefusedError that names each member that is missing or
 * wrong, and never shows a value: it may be a secret.
 *
 * @param what what the JSON is, for the message, such as "the settings of a dump"
 */
export function parseRequest<Schema extends v.GenericSchema>(
  schema: Schema,
  json: string,
  what: string,
): v.InferOutput<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new RefusedError(`Expected ${what} as JSON on standard input, found text that is no JSON.`);
  }
  return checkRequest(schema, value, what);
}

/** As `parseRequest`, for what has been read from JSON already. */
export function checkRequest<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  what: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new RefusedError(
    `Expected ${what} on standard input; these members are wrong:\n${result.issues.map(fault).join("\n")}`,
  );
}
