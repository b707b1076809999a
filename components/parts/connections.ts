import * as pulumi from "@pulumi/pulumi";
import { keepVariables, keptPath } from "../../runner/util/kept-variables.ts";
import { type Connection, RunnerCommand, type Variables } from "../runner/command.ts";
import type { PreviousOutputs } from "./previous-update.ts";

/** The value of `make`, made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/**
 * The ways to the server that the stack's Commands take. A new password or address is no reason to run anything again, so
 * that none of them counts as an input: each update leaves them, locked by a key of the state, in a file that the Commands
 * read. docs/decisions/0004-connections.md says why.
 */
export class Connections extends pulumi.ComponentResource {
  /** Made with the first way that a Command takes: an import has no Commands. */
  readonly #key = once(() => this.#makeKey());

  constructor(name: string, options: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:Connections", name, {}, options);
    this.registerOutputs({});
  }

  /**
   * A way to the server.
   * @param name the same in each update
   * @param variables the PG* variables and further secrets
   * @param news what only the running update knows; Commands that run without one do without
   */
  to(name: string, variables: Variables, news: Variables = {}): Connection {
    const path = keptPath(pulumi.getStack(), name);
    const kept = once(() => (pulumi.runtime.isDryRun() ? path : this.#keep(path, { ...variables, ...news })));
    return {
      variables,
      reference: () => ({ PGSTACK_CONNECTION: kept(), PGSTACK_CONNECTION_KEY: this.#key() }),
    };
  }

  #keep(path: string, variables: Variables): pulumi.Output<string> {
    const plain = pulumi.unsecret(pulumi.all([pulumi.all(variables), this.#key()]));
    return plain.apply(([variables, key]) => {
      keepVariables(path, key, variables);
      return path;
    });
  }

  #makeKey(): pulumi.Output<string> {
    const command = new RunnerCommand(
      "connection-key",
      {
        ensure: "connection-key",
        remove: "connection-forget",
        request: JSON.stringify({ stack: pulumi.getStack() }),
        secret: true,
        onlyForRequest: true,
      },
      { parent: this },
    );
    return command.result<{ key: string }>().key;
  }
}

interface WithPrevious {
  readonly connections: Connections;
  readonly variables: Variables;
  readonly previous: Promise<PreviousOutputs>;
}

/** The same way, beside what the last update reported: a command that is run again reads there what it need not do again. */
export function withPrevious(
  { connections, variables, previous }: WithPrevious,
  name: string,
  reportOf: (outputs: PreviousOutputs) => object | null | undefined,
): Connection {
  const report = previous.then((outputs) => JSON.stringify(reportOf(outputs) ?? null));
  return connections.to(name, variables, { PULUMI_COMMAND_STDOUT: report });
}
