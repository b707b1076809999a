import { setTimeout as pause } from "node:timers/promises";
import * as v from "valibot";
import { UserError } from "../../runner/util/errors.ts";

/** How a repository is reached. */
export interface Access {
  /** Without a slash at its end: https://api.github.com, or https://HOST/api/v3 of GitHub Enterprise Server. */
  readonly api: string;
  /** Secret. It goes into a header and nowhere else. */
  readonly token: string;
  /** OWNER/NAME. */
  readonly repository: string;
}

/** The REST API of one repository. Paths count from the repository. Failures are ApiErrors. */
export interface GitHub {
  /** Every item of a list, of all its pages. */
  readonly list: <Item>(path: string, schema: v.GenericSchema<unknown, Item>) => Promise<Item[]>;
  readonly send: (method: "POST" | "PATCH" | "DELETE", path: string, body?: object) => Promise<void>;
}

/** What GitHub refused, or could not do. */
export class ApiError extends UserError {
  /** Undefined where there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined, cause?: unknown) {
    super(message, { cause });
    this.name = "ApiError";
    this.status = status;
  }
}

type Wait = (milliseconds: number) => Promise<unknown>;

const tries = 5;
const longestWait = 120_000;
const patience = 30_000; // for one answer
const pages = 200;

/** An answer that is no success, and the reason that it gives, on one line. */
interface Refusal {
  readonly response: Response;
  readonly reason: string;
}

/** Reads a refusal's reason. A proxy's page has none. */
async function readRefusal(response: Response): Promise<Refusal> {
  const text = await response.text().catch(() => "");
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return {
      response,
      reason: typeof message === "string" ? message.replace(/\s+/g, " ").slice(0, 300) : "",
    };
  } catch {
    return { response, reason: "" };
  }
}

/** https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit */
function isLimited({ response: { status, headers }, reason }: Refusal): boolean {
  const said = headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0";
  return status === 429 || (status === 403 && (said || /rate limit/i.test(reason)));
}

/** Milliseconds until a time that a header states in seconds or as a date. */
function untilRetry(header: string): number {
  const seconds = Number(header);
  return Number.isNaN(seconds) ? Math.max(0, Date.parse(header) - Date.now()) : seconds * 1000;
}

/** Milliseconds to wait before the same request is worth another try; undefined where it is not. */
function waitAfter(refusal: Refusal | undefined, attempt: number): number | undefined {
  const usual = 1000 * 2 ** attempt;
  if (refusal === undefined) return usual;
  const { status, headers } = refusal.response;
  if (status < 500 && !isLimited(refusal)) return undefined;
  const after = headers.get("retry-after");
  if (after !== null) return untilRetry(after);
  if (status >= 500) return usual;
  const isUsedUp = headers.get("x-ratelimit-remaining") === "0";
  return isUsedUp ? Math.max(0, Number(headers.get("x-ratelimit-reset")) * 1000 - Date.now()) : 60_000;
}

/** What a person has to change, by the answer's status. */
function adviceFor(refusal: Refusal, permission: string): string {
  const { status, headers } = refusal.response;
  const accepted = headers.get("x-accepted-github-permissions");
  if (isLimited(refusal)) return "The rate limit of the token is used up: run the job again later.";
  if (status === 401) return "The token is not valid, or has expired: see the input token.";
  if (status === 403)
    return `The token lacks the permission "${permission}"${accepted === null ? "" : ` (GitHub accepts ${accepted})`}: docs/ci.md.`;
  if (status === 404)
    return `There is no such thing, or the token may not see it: it needs the permission "${permission}".`;
  if (status === 410) return "Issues are turned off in the settings of the repository.";
  return status >= 500 ? "GitHub could not answer: run the job again." : "";
}

/** The items of one page. Throws ApiError where it holds something else, such as a proxy's page. */
async function readPage<Item>(response: Response, schema: v.GenericSchema<unknown, Item>): Promise<Item[]> {
  const read = v.safeParse(v.array(schema), await response.json().catch(() => undefined));
  if (read.success) return read.output;
  const path = new URL(response.url).pathname;
  throw new ApiError(`Expected a list of GitHub's at ${path}, found another answer.`, response.status);
}

/** The address of the next page. Throws ApiError where it leads to another server, which must not see the token. */
function nextPage(response: Response, api: string): string | undefined {
  const [, next] = response.headers.get("link")?.match(/<([^>]+)>\s*;[^,]*\brel="?next"?/) ?? [];
  if (next === undefined) return undefined;
  const url = new URL(next, response.url);
  if (url.origin !== new URL(api).origin)
    throw new ApiError(`Expected the next page on ${api}, found one on ${url.origin}.`, response.status);
  return url.href;
}

/**
 * Opens the API of a repository. A request that met an error of the server, no answer or a rate limit is repeated, at most 4 times
 * and for at most 2 minutes of waiting.
 *
 * @param permission of the token, for what it is used for, as `permissions:` of a workflow names it: "issues: write"
 */
export function openGitHub(access: Access, permission: string, wait: Wait = pause): GitHub {
  const { api, token, repository } = access;
  const root = `${api}/repos/${repository}`;
  const headers = {
    accept: "application/vnd.github+json",
    authorization: `Bearer ${token}`,
    "user-agent": "pgstack",
    "x-github-api-version": "2022-11-28",
  };
  const hidden = (text: string) => text.replaceAll(token, "***");

  function failure(method: string, url: string, refusal: Refusal): ApiError {
    const { response, reason } = refusal;
    const head = `GitHub answered ${response.status} ${response.statusText} to ${method} ${new URL(url).pathname}`;
    const sentences = `${head}${reason === "" ? "" : `: ${reason}`}. ${adviceFor(refusal, permission)}`;
    return new ApiError(hidden(sentences.trim()), response.status);
  }

  function attempted(method: string, url: string, body: object | undefined): Promise<Response | Error> {
    const options = { method, headers, signal: AbortSignal.timeout(patience) };
    const sent = body === undefined ? options : { ...options, body: JSON.stringify(body) };
    return fetch(url, sent).catch((error: Error) => error);
  }

  async function request(method: string, url: string, body?: object): Promise<Response> {
    for (let attempt = 0, waited = 0; ; attempt++) {
      const answer = await attempted(method, url, body);
      if (answer instanceof Response && answer.ok) return answer;
      const refusal = answer instanceof Response ? await readRefusal(answer) : undefined;
      const next = waitAfter(refusal, attempt) ?? Number.POSITIVE_INFINITY;
      const isOver = attempt + 1 === tries || !(waited + next <= longestWait);
      if (isOver)
        throw refusal === undefined ? noAnswer(api, answer as Error) : failure(method, url, refusal);
      await wait(next);
      waited += next;
    }
  }

  return {
    list: async <Item>(path: string, schema: v.GenericSchema<unknown, Item>) => {
      const found: Item[] = [];
      let url: string | undefined = `${root}${path}${path.includes("?") ? "&" : "?"}per_page=100`;
      for (let page = 0; url !== undefined && page < pages; page++) {
        const response = await request("GET", url);
        found.push(...(await readPage(response, schema)));
        url = nextPage(response, api);
      }
      return found;
    },
    send: async (method, path, body) => {
      const response = await request(method, `${root}${path}`, body);
      await response.body?.cancel();
    },
  };
}

function noAnswer(api: string, error: Error): ApiError {
  const { code, message } = (error.cause ?? error) as { code?: string; message?: string };
  return new ApiError(
    `No answer from ${api}: ${code ?? message}. GITHUB_API_URL has this address.`,
    undefined,
    error,
  );
}
