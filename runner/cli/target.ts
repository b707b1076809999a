import { type ConnectionSettings, connectionFromUrl } from "../postgres/connection.ts";
import { RefusedError } from "../util/errors.ts";
import type { Call, Flags } from "./command.ts";

/** What the `./pgstack` script hands over of the stack that `--stack` names, in PGSTACK_STACK. */
export interface StackFacts {
  readonly name: string;
  /** The stack's outputs, secrets in clear. Empty before the first `up`. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** The keys of the namespace `pgstack`, without it. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** The flags of a verb that works on a database. */
export const targetFlags: Flags = { stack: { type: "string" }, url: { type: "string" } };

/** The stack that `--stack` names. Throws RefusedError when the verb was not started by `./pgstack`. */
export function stackFacts(call: Pick<Call, "env" | "flags">): StackFacts {
  const facts = call.env.PGSTACK_STACK;
  if (facts === undefined)
    throw new RefusedError(`--stack ${call.flags.stack ?? "S"} needs ./pgstack, which looks the stack up`);
  return JSON.parse(facts) as StackFacts;
}

function outputOf(call: Pick<Call, "env" | "flags">, name: string): unknown {
  const { name: stack, outputs } = stackFacts(call);
  if (outputs[name] !== undefined) return outputs[name];
  throw new RefusedError(`Stack "${stack}" has no output "${name}" yet: run ./pgstack up ${stack} first`);
}

function chooseOne({ flags }: Pick<Call, "flags">): void {
  const given = ["stack", "url"].filter((flag) => flags[flag] !== undefined);
  if (given.length !== 1)
    throw new RefusedError(
      `Expected one of --stack S and --url URL, found ${given.length === 0 ? "none" : "both"}`,
    );
}

/** The database that `--url` or `--stack` names, as that URL's user or as the stack's owner. */
export function resolveTarget(call: Pick<Call, "env" | "flags">): ConnectionSettings {
  chooseOne(call);
  if (typeof call.flags.url === "string") return connectionFromUrl(call.flags.url, call.env);
  return connectionFromUrl(outputOf(call, "databaseUrl") as string, call.env);
}

/** The same database as the user who administers the server: the URL's own, or the stack's admin. */
export function resolveAdminTarget(call: Pick<Call, "env" | "flags">): ConnectionSettings {
  const target = resolveTarget(call);
  if (call.flags.url !== undefined) return target;
  const admin = outputOf(call, "admin") as ConnectionSettings;
  return { ...admin, database: target.database };
}
