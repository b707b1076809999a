import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A comment or an issue, as GitHub's REST API shows it. */
export interface Entry {
  readonly id: number;
  body: string;
  readonly user: { readonly type: string };
  readonly author_association: string;
  readonly number: number;
  state: string;
  readonly title?: string;
  readonly labels?: readonly { readonly name: string }[];
  readonly pull_request?: object;
}

/** A request as it arrived. */
export interface Sent {
  /** Method, path and query. */
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: Record<string, unknown>;
}

/** An answer to one request. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

/** The part of GitHub's REST API that keeps comments and issues, for one repository. */
export interface GitHubServer extends AsyncDisposable {
  /** What GITHUB_API_URL is. */
  readonly api: string;
  readonly sent: Sent[];
  readonly issues: Entry[];
  /** By the number of their issue or pull request. */
  readonly comments: Map<number, Entry[]>;
  /** The next requests are answered so. */
  readonly troubles: Answer[];
  /** Adds a comment of somebody to a pull request. */
  readonly comment: (on: number, body: string, by?: Partial<Entry>) => Entry;
}

const prefix = "/api/v3/repos/acme/shop";
const perPage = 2; // so that a few entries are several pages

function pageOf(url: URL, entries: readonly Entry[]): Answer {
  const page = Number(url.searchParams.get("page") ?? 1);
  const next = new URL(url);
  next.searchParams.set("page", String(page + 1));
  const body = entries.slice((page - 1) * perPage, page * perPage);
  const headers = { link: `<${next}>; rel="next", <${url}>; rel="first"` };
  return page * perPage < entries.length ? { status: 200, body, headers } : { status: 200, body };
}

function reply(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(status === 204 ? undefined : JSON.stringify(body));
}

/** Starts it on a free port. */
export async function startGitHubServer(): Promise<GitHubServer> {
  let last = 100;
  const sent: Sent[] = [];
  const issues: Entry[] = [];
  const troubles: Answer[] = [];
  const comments = new Map<number, Entry[]>();
  const entry = (given: Partial<Entry>): Entry => {
    const id = ++last;
    const bot = { user: { type: "Bot" }, author_association: "NONE" };
    return { id, number: id, state: "open", body: "", ...bot, ...given };
  };
  const commentsOn = (on: number) => comments.get(on) ?? (comments.set(on, []).get(on) as Entry[]);
  const post = (list: Entry[], given: Partial<Entry>) => {
    const made = entry(given);
    list.push(made);
    return made;
  };

  /** One comment or issue that is there. */
  function change(list: Entry[] | undefined, id: number, method: string, body: Partial<Entry>): Answer {
    const found = list?.find((one) => one.id === id);
    if (list === undefined || found === undefined) return { status: 404, body: { message: "Not Found" } };
    if (method !== "DELETE") return { status: 200, body: Object.assign(found, body) };
    list.splice(list.indexOf(found), 1);
    return { status: 204, body: null };
  }

  function answerTo(url: URL, method: string, body: Partial<Entry>): Answer {
    const path = url.pathname.slice(prefix.length);
    const [, on] = path.match(/^\/issues\/(\d+)\/comments$/) ?? [];
    if (on !== undefined && method === "GET") return pageOf(url, commentsOn(Number(on)));
    if (on !== undefined) return { status: 201, body: post(commentsOn(Number(on)), body) };
    const label = url.searchParams.get("labels");
    const labelled = issues.filter(({ labels }) => labels?.some(({ name }) => name === label));
    if (path === "/issues" && method === "GET") return pageOf(url, labelled);
    const labels = ((body.labels ?? []) as unknown as string[]).map((name) => ({ name }));
    if (path === "/issues") return { status: 201, body: post(issues, { ...body, labels }) };
    const [, of, id] = path.match(/^\/issues\/(comments\/)?(\d+)$/) ?? [];
    const lists = of === undefined ? [issues] : [...comments.values()];
    const list = lists.find((all) => all.some((one) => one.id === Number(id)));
    return change(list, Number(id), method, body);
  }

  const server = createServer(async (request: IncomingMessage, response) => {
    const { method = "", url = "", headers } = request;
    const body = JSON.parse((await text(request)) || "{}");
    sent.push({ line: `${method} ${url.replace(prefix, "")}`, authorization: headers.authorization, body });
    const usual = () => answerTo(new URL(url, `http://${headers.host}`), method, body);
    reply(response, troubles.shift() ?? usual());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    api: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v3`,
    sent,
    issues,
    comments,
    troubles,
    comment: (on, body, by = {}) => post(commentsOn(on), { ...by, body }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
