import * as pulumi from "@pulumi/pulumi";
import { Connections } from "./parts/connections.ts";
import { previousState } from "./parts/previous-update.ts";
import { fail } from "./parts/refusal.ts";
import { type Queries, QueryProcess } from "./runner/query-process.ts";

/**
 * Where the components of a program wait for each other's checks: the engine continues with what it knows when an error ends the
 * program, and would change half of it. So nothing of one component is declared before all have been checked that are
 * constructed in one go.
 */
export class Gate {
  #checks: Promise<unknown>[] = [];
  #opening: Promise<void> | undefined;

  /**
   * Resolves, in an update, when this check and those of all components beside it have passed; in a preview, which changes
   * nothing, at once. What a check finds ends the program, reported once; then the result never comes.
   */
  pass(check: Promise<unknown> = Promise.resolve()): Promise<void> {
    if (pulumi.runtime.isDryRun()) {
      check.catch(fail);
      return Promise.resolve();
    }
    check.catch(() => {}); // told when the gate opens
    this.#checks.push(check);
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    await new Promise(setImmediate); // the constructors of all components that are made in one go have run
    const checks = this.#checks;
    this.#checks = [];
    this.#opening = undefined;
    const faults = (await Promise.allSettled(checks)).flatMap((one) =>
      one.status === "rejected" ? [one.reason as Error] : [],
    );
    if (faults.length === 0) return;
    fail(together(faults));
    await new Promise<never>(() => {});
  }
}

/** Every fault in one error: a RunError, which prints without a stack, where each is one. */
function together([first, ...more]: readonly Error[]): Error {
  if (first === undefined || more.length === 0) return first as Error;
  const all = [first, ...more];
  const bug = all.find((error) => !(error instanceof pulumi.RunError));
  return bug ?? new pulumi.RunError([...new Set(all.map(({ message }) => message))].join("\n"));
}

/** What the components of one program have in common. */
export class Program {
  /** Open when files and configuration of all components have been checked. */
  readonly gate = new Gate();
  /** What the stack's state held when the program started. */
  readonly state = previousState();
  #queries: Queries | undefined;
  #connections: Connections | undefined;

  /** The runner's process, which is started with the first component that asks. */
  get queries(): Queries {
    this.#queries ??= QueryProcess.start("migrations-read", "rights-check", "migrations-check");
    return this.#queries;
  }

  /** The ways to its servers, under one key. */
  get connections(): Connections {
    this.#connections ??= new Connections("connections");
    return this.#connections;
  }
}

/** By the stack's own resource: a process may run one program after the other. */
const programs = new WeakMap<object, Program>();
const withoutStack = {};

/** The program that is running. */
export function currentProgram(): Program {
  const stack = pulumi.runtime.getStackResource() ?? withoutStack;
  const known = programs.get(stack) ?? new Program();
  programs.set(stack, known);
  return known;
}
