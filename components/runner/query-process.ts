import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { linesOf } from "../../runner/util/lines.ts";
import { projectRoot } from "../../runner/util/project.ts";

/** What keeps this process waiting as long as it is open. */
interface Handle {
  ref(): unknown;
  unref(): unknown;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

// Started as this module is loaded, and so before Pulumi is: by the time of the first question it is ready.
const first = ["migrations-read", "rights-check", "migrations-check"];
const child = spawn(process.execPath, ["runner/main.ts", "serve", ...first], { cwd: projectRoot });
const handles: Handle[] = [child, ...[child.stdin, child.stdout, child.stderr].map((one) => one as Socket)];
const waiting = new Map<number, Waiting>();
let asked = 0;
let complaints = "";
let ended = false;

/** The program waits for the runner only while a question is open. It ends when the program does. */
function hold(): void {
  for (const handle of handles) waiting.size > 0 ? handle.ref() : handle.unref();
}

function settle(line: string): void {
  const { id, answer, error } = JSON.parse(line) as { id: number; answer?: unknown; error?: string };
  const { resolve, reject } = waiting.get(id) as Waiting;
  waiting.delete(id);
  hold();
  if (error === undefined) resolve(answer);
  else reject(new Error(error));
}

function giveUp(): void {
  ended = true;
  for (const { reject } of waiting.values())
    reject(new Error(`The runner ended before it had answered. ${complaints}`.trim()));
  waiting.clear();
}

async function listen(): Promise<void> {
  for await (const line of linesOf(child.stdout)) settle(line);
}

hold();
listen().catch(giveUp);
child.stderr.setEncoding("utf8").on("data", (text: string) => {
  complaints += text;
});
child.stdin.on("error", () => {}); // its end says more
child.on("error", giveUp).on("close", giveUp);

/** Asks one of the runner's verbs. Several may be asked at once. Rejects with what the verb says when it fails. */
export function askProcess(verb: string, question: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject });
    if (ended) return giveUp();
    hold();
    child.stdin.write(`${asked} ${verb} ${JSON.stringify(question)}\n`);
  });
}
