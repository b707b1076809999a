import { RefusedError } from "../util/errors.ts";

/** A stack as a person names it: `prod`, `acme/prod` or `acme/shop/prod`. */
export interface StackName {
  /** The name alone: of its file `Pulumi.<stack>.yaml` and its folder `.pgstack/<stack>`. */
  readonly stack: string;
  readonly project: string | undefined;
  readonly organization: string | undefined;
  /** As it was given, which is what Pulumi is given. */
  readonly given: string;
}

/** Reads a stack's name in each form that Pulumi takes. Throws RefusedError for a text that is none. */
export function readStackName(text: string): StackName {
  const parts = text.split("/");
  if (parts.length > 3 || parts.some((part) => !/^[\w.-]+$/.test(part)))
    throw new RefusedError(
      `Expected a stack's name, such as prod or organization/project/prod; found "${text}". ` +
        'A name has letters, digits, "-", "_" and ".".',
    );
  const stack = parts.at(-1) as string;
  return {
    stack,
    project: parts.length === 3 ? parts[1] : undefined,
    organization: parts.length > 1 ? parts[0] : undefined,
    given: text,
  };
}

const agree = (a: string | undefined, b: string | undefined) => a === undefined || b === undefined || a === b;

function isSame(a: StackName, b: StackName): boolean {
  return a.stack === b.stack && agree(a.project, b.project) && agree(a.organization, b.organization);
}

/**
 * The one stack that a command line names, however often and in whatever spelling; undefined where it names none. The
 * fullest spelling counts. Throws RefusedError where two stacks are named.
 */
export function oneStack(given: readonly string[]): StackName | undefined {
  const names = given.map(readStackName);
  const [first] = names;
  const other = names.find((name) => first !== undefined && !isSame(first, name));
  if (other !== undefined)
    throw new RefusedError(`Expected one stack, found two: "${first?.given}" and "${other.given}".`);
  return names.toSorted((a, b) => b.given.length - a.given.length)[0];
}
