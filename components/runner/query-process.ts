import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Socket } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import type { Query } from "../../runner/cli/command.ts";
import { linesOf } from "../../runner/util/lines.ts";
import { projectRoot, runnerProgram } from "../../runner/util/project.ts";

/** Answers a component's questions about the server while the program runs. */
export interface Queries {
  /** Asks one of the runner's internal commands; rejects with what it says when it fails. */
  ask(command: string, query: Query<object>): Promise<unknown>;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The runner as one process that answers many questions, several at once: a process for each would take longer than the
 * questions. What it logs is shown in the update's log. It ends when the program does.
 */
export class QueryProcess implements Queries {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;
  #ended = false;

  /** Starts the process; by the time of the first question it has loaded the commands of `first`. */
  static start(...first: readonly string[]): QueryProcess {
    const child = spawn(process.execPath, [runnerProgram, "serve", ...first], { cwd: projectRoot });
    return new QueryProcess(child);
  }

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stdin.on("error", () => {}); // the end of the process says more
    child.on("error", () => this.#end()).on("close", () => this.#end());
    this.#listen(child.stdout, (line) => this.#settle(line));
    this.#listen(child.stderr, (line) => void pulumi.log.info(line));
    this.#hold();
  }

  ask(command: string, query: Query<object>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#asked, { resolve, reject });
      if (this.#ended) return this.#end();
      this.#hold();
      this.#child.stdin.write(`${this.#asked} ${command} ${JSON.stringify(query)}\n`);
    });
  }

  #listen(stream: ChildProcessWithoutNullStreams["stdout"], use: (line: string) => void): void {
    const read = async () => {
      for await (const line of linesOf(stream)) use(line);
    };
    read().catch(() => this.#end());
  }

  /** The program waits for the runner only while a question is open. */
  #hold(): void {
    const { stdin, stdout, stderr } = this.#child;
    const handles = [this.#child, ...[stdin, stdout, stderr].map((stream) => stream as unknown as Socket)];
    for (const handle of handles) this.#waiting.size > 0 ? handle.ref() : handle.unref();
  }

  #settle(line: string): void {
    const { id, answer, error } = JSON.parse(line) as { id: number; answer?: unknown; error?: string };
    const { resolve, reject } = this.#waiting.get(id) as Waiting;
    this.#waiting.delete(id);
    this.#hold();
    if (error === undefined) resolve(answer);
    else reject(new Error(error));
  }

  #end(): void {
    this.#ended = true;
    for (const { reject } of this.#waiting.values())
      reject(new Error("The runner ended before it had answered."));
    this.#waiting.clear();
  }
}
