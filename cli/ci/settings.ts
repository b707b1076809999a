import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as v from "valibot";
import { RefusedError } from "../../runner/util/errors.ts";
import type { Access } from "./github.ts";

/** The pull request that a run is about. */
export interface PullRequest {
  readonly number: number;
  /** The commit that a person has pushed; GitHub runs on a merge of it. */
  readonly commit: string;
  /** Whether it comes from another repository. GitHub gives its run a token that may only read. */
  readonly fromFork: boolean;
}

/** What GitHub Actions says of a run. */
export interface RunSettings {
  /** Undefined where the run has no token. */
  readonly access: Access | undefined;
  /** Undefined where the run is about none, such as a scheduled one. */
  readonly pullRequest: PullRequest | undefined;
  /** The address of the run's page. */
  readonly runUrl: string;
  /** The file of the job's summary; undefined where there is none. */
  readonly summary: string | undefined;
  /** The file of the step's outputs; undefined where there is none. */
  readonly outputs: string | undefined;
  /** A folder for files of this job. */
  readonly directory: string;
}

/** The variable that has the token. It is none of GitHub's own, which a Pulumi program may need for itself. */
const tokenVariable = "PGSTACK_GITHUB_TOKEN";

/** https://docs.github.com/webhooks/webhook-events-and-payloads#pull_request; `head.repo` is null where the fork was removed. */
const Event = v.object({
  pull_request: v.optional(
    v.object({
      number: v.number(),
      head: v.object({ sha: v.string(), repo: v.nullish(v.object({ full_name: v.string() })) }),
    }),
  ),
});

function readPullRequest(path: string | undefined, repository: string): PullRequest | undefined {
  if (!path) return undefined;
  const read = v.safeParse(Event, JSON.parse(readFileSync(path, "utf8")));
  if (!read.success)
    throw new RefusedError(`Expected an event of GitHub in ${path}, found another text (GITHUB_EVENT_PATH).`);
  const { pull_request } = read.output;
  if (pull_request === undefined) return undefined;
  const { number, head } = pull_request;
  return { number, commit: head.sha, fromFork: head.repo?.full_name !== repository };
}

/** Reads an address of the API without what would be doubled in a path. Throws RefusedError where it is no address. */
function readApi(text: string): string {
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? ""))
    throw new RefusedError(`Expected the address of GitHub's API in GITHUB_API_URL, found "${text}".`);
  return text.replace(/\/+$/, "");
}

/** Takes the token out of the environment: the stack's program and every child process run without it. */
function takeToken(env: NodeJS.ProcessEnv): string {
  const token = env[tokenVariable] ?? "";
  delete env[tokenVariable];
  return token.trim();
}

/**
 * Reads the variables of GitHub Actions, and takes the token out of them. Throws RefusedError where this is no run of GitHub Actions.
 * https://docs.github.com/actions/reference/workflows-and-actions/variables
 */
export function readRunSettings(env: NodeJS.ProcessEnv): RunSettings {
  const token = takeToken(env);
  const repository = env.GITHUB_REPOSITORY ?? "";
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository))
    throw new RefusedError(
      `Expected a run of GitHub Actions, with OWNER/NAME in GITHUB_REPOSITORY, found "${repository}". ` +
        "Elsewhere use plan --format markdown: docs/ci.md.",
    );
  const api = readApi(env.GITHUB_API_URL || "https://api.github.com");
  return {
    access: token === "" ? undefined : { api, token, repository },
    pullRequest: readPullRequest(env.GITHUB_EVENT_PATH, repository),
    runUrl: `${env.GITHUB_SERVER_URL || "https://github.com"}/${repository}/actions/runs/${env.GITHUB_RUN_ID ?? ""}`,
    summary: env.GITHUB_STEP_SUMMARY || undefined,
    outputs: env.GITHUB_OUTPUT || undefined,
    directory: env.RUNNER_TEMP || tmpdir(),
  };
}
