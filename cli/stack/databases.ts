import type { StackFacts } from "../../runner/cli/command.ts";
import { RefusedError } from "../../runner/util/errors.ts";
import type { Checkpoint } from "./pending-operations.ts";

/** A database of a stack, as its component says of itself in the state. */
export interface StackDatabase {
  /** The component's name in the program. */
  readonly component: string;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Its arguments, under the keys of the namespace `pgstack`. */
  readonly config: StackFacts["config"];
}

const componentType = "pgstack:index:Database";

/** How a state marks a value that is a secret: https://www.pulumi.com/docs/iac/concepts/secrets/ */
const secretMark = "4dabf18193072939515e22adb298388d";

/** A value of a state that was exported with its secrets in clear. */
function inClear(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inClear);
  if (typeof value !== "object" || value === null) return value;
  const { plaintext } = value as { plaintext?: unknown };
  if (secretMark in value && typeof plaintext === "string") return inClear(JSON.parse(plaintext));
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inClear(part)]));
}

/** The databases that a stack's program has made. @param state exported with its secrets in clear */
export function databasesOf({ deployment }: Checkpoint): StackDatabase[] {
  const components = (deployment.resources ?? []).filter(({ type }) => type === componentType);
  return components.flatMap(({ urn, outputs }) => {
    const { settings, ...others } = (inClear(outputs ?? {}) ?? {}) as Record<string, unknown>;
    if (typeof others.database !== "string") return []; // its update was cut off, or is older than the package
    const component = urn.slice(urn.lastIndexOf("::") + 2);
    return [{ component, outputs: others, config: (settings ?? {}) as StackFacts["config"] }];
  });
}

/**
 * The one database that a command is for. Throws RefusedError where the stack has several and none is named, and where it has
 * none of that name.
 *
 * @param named the component's name in the program, or the database's on its server
 */
export function chooseDatabase(
  databases: readonly StackDatabase[],
  named: string | undefined,
  stack: string,
): StackDatabase {
  const names = databases.map(({ component }) => component).join(", ");
  const fitting = databases.filter(
    ({ component, outputs }) => named === undefined || component === named || outputs.database === named,
  );
  const exact = databases.find(({ component }) => component === named) ?? fitting[0];
  if (exact === undefined)
    throw new RefusedError(
      `Expected a database of stack "${stack}" for --database (${names || "it has none yet"}), found "${named}".`,
    );
  if (fitting.length > 1 && exact.component !== named)
    throw new RefusedError(`Stack "${stack}" has several databases: ${names}. Say which by --database NAME.`);
  return exact;
}
