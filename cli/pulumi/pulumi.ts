import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { UserError } from "../../runner/util/errors.ts";
import type { Project } from "../project.ts";
import { recordEngine } from "./engines.ts";
import { type PulumiEnvironment, pulumiSetting } from "./environment.ts";

/** How a pulumi that was not on the terminal ended. */
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Pulumi's command line on this project. */
export interface Pulumi {
  readonly project: Project;
  readonly environment: PulumiEnvironment;
  /** Where state is kept. */
  readonly backend: string;
  /** Runs it without a terminal; large and secret values go through `stdin`. */
  readonly ask: (args: readonly string[], stdin?: string) => Promise<Answer>;
  /** As `ask`, for what must succeed. Throws UserError with Pulumi's own words. */
  readonly demand: (args: readonly string[], stdin?: string) => Promise<string>;
  /** Runs it on the user's terminal. @returns its exit code */
  readonly onTerminal: (args: readonly string[]) => Promise<number>;
  /** Runs it with all that it prints on standard error. @returns its exit code */
  readonly aside: (args: readonly string[]) => Promise<number>;
}

type Output = "inherit" | "pipe" | 2;

/** Ctrl-C is for pulumi, which ends its work in order; SIGTERM comes to this process alone, and is handed on. */
async function ended(child: ReturnType<typeof spawn>): Promise<number> {
  const ignore = () => {};
  const handOn = () => child.kill("SIGTERM");
  process.on("SIGINT", ignore);
  process.on("SIGTERM", handOn);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 1;
  } finally {
    process.off("SIGINT", ignore);
    process.off("SIGTERM", handOn);
  }
}

function opened(project: Project, environment: PulumiEnvironment) {
  const start = (args: readonly string[], input: "inherit" | "pipe", output: Output, errors: Output) => {
    const child = spawn("pulumi", args, {
      cwd: project.root,
      env: { ...process.env, ...environment },
      stdio: [input, output, errors],
    });
    child.stdin?.on("error", () => {}); // it may end before it has read all, and says why
    return { child, forget: child.pid === undefined ? () => {} : recordEngine(project, child.pid) };
  };
  const visibly = async (args: readonly string[], output: Output) => {
    const { child, forget } = start(args, "inherit", output, "inherit");
    const code = await ended(child);
    forget();
    return code;
  };
  return { start, visibly };
}

/**
 * Finds pulumi, or brings it in.
 * @param further variables for it and what it starts
 */
export function openPulumi(project: Project, further: Readonly<Record<string, string>> = {}): Pulumi {
  const { environment: own, backend } = pulumiSetting(project);
  const environment = { ...own, ...further };
  const { start, visibly } = opened(project, environment);
  const ask = async (args: readonly string[], stdin = ""): Promise<Answer> => {
    const { child, forget } = start(
      [...args, "--non-interactive", "--color", "never"],
      "pipe",
      "pipe",
      "pipe",
    );
    child.stdin?.end(stdin);
    const printed = [child.stdout, child.stderr].map((stream) => (stream === null ? "" : text(stream)));
    const code = await ended(child);
    forget();
    const [stdout = "", stderr = ""] = await Promise.all(printed);
    return { code, stdout, stderr };
  };
  const demand = async (args: readonly string[], stdin?: string) => {
    const { code, stdout, stderr } = await ask(args, stdin);
    if (code === 0) return stdout;
    throw new UserError(`pulumi ${args.slice(0, 2).join(" ")} failed: ${reasonOf(stderr)}`);
  };
  return {
    project,
    environment,
    backend,
    ask,
    demand,
    onTerminal: (args) => visibly(args, "inherit"),
    aside: (args) => visibly(args, 2),
  };
}

/** Pulumi's reason without its leading "error:". */
export function reasonOf(stderr: string): string {
  return stderr.trim().replace(/^error: /, "");
}
