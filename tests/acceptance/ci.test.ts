// What action.yml runs, against a server that keeps comments and issues as GitHub does, and records what it was sent.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as v from "valibot";
import { parse } from "yaml";
import { ApiError, openGitHub } from "../../cli/ci/github.ts";
import { ciReport, publish, type Report } from "../../cli/ci/report.ts";
import { readRunSettings } from "../../cli/ci/settings.ts";
import { bodyLimit, markerOf } from "../../cli/ci/text.ts";
import { surroundings } from "../../runner/cli/run-process.ts";
import type { ExitCode } from "../../runner/util/errors.ts";
import { projectRoot } from "../../runner/util/project.ts";
import { type GitHubServer, startGitHubServer } from "../support/github-server.ts";
import { createProject, type TestProject } from "../support/project.ts";

const token = "ghs_canary0123456789";
const subject = { mode: "plan", project: "shop", stack: "prod", database: undefined } as const;
const marker = markerOf(subject);

/** A job of GitHub Actions on pull request 7, with a folder for its files that is gone afterwards. */
function startJob(server: GitHubServer, { token: given = token, fork = false, pull = true } = {}) {
  const directory = mkdtempSync(join(tmpdir(), "pgstack-ci-"));
  const head = { sha: "0123456789abcdef", repo: { full_name: fork ? "stranger/shop" : "acme/shop" } };
  const event = join(directory, "event.json");
  writeFileSync(
    event,
    JSON.stringify(pull ? { pull_request: { number: 7, head } } : { schedule: "0 6 * * *" }),
  );
  const env: NodeJS.ProcessEnv = {
    PGSTACK_GITHUB_TOKEN: given,
    GITHUB_REPOSITORY: "acme/shop",
    GITHUB_API_URL: `${server.api}/`,
    GITHUB_SERVER_URL: "https://github.test",
    GITHUB_RUN_ID: "42",
    GITHUB_EVENT_PATH: event,
    GITHUB_STEP_SUMMARY: join(directory, "summary.md"),
    GITHUB_OUTPUT: join(directory, "outputs"),
    RUNNER_TEMP: directory,
  };
  const log: string[] = [];
  return {
    directory,
    env,
    log,
    read: (file: string) => readFileSync(join(directory, file), "utf8"),
    show: (report: Partial<Report> = {}) =>
      publish({ subject, code: 3, markdown: "## The plan", ...report }, readRunSettings(env), (line) =>
        log.push(line),
      ),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}

const linesOf = ({ sent }: GitHubServer) => sent.map(({ line }) => line);

test("two runs keep one comment, among those of others and behind a page's end", async () => {
  await using server = await startGitHubServer();
  server.comment(7, "Looks good", { user: { type: "User" }, author_association: "MEMBER" });
  server.comment(7, `${marker}\nNothing to do.`, { user: { type: "User" }, author_association: "NONE" });
  server.comment(7, `${markerOf({ ...subject, stack: "staging" })}\nStaging`);
  for (const markdown of ["## The first", "## The second"]) {
    using job = startJob(server);
    assert.equal(await job.show({ markdown }), 0);
    assert.match(job.read("outputs"), /^outcome=changes\nreport=.*plan-prod-\.md\n$/);
    assert.equal(job.read("summary.md").trim(), markdown);
    assert.deepEqual(job.log, []);
  }
  const bodies = server.comments.get(7)?.map(({ body }) => body) ?? [];
  assert.equal(bodies.length, 4);
  assert.ok(bodies[3]?.startsWith(`${marker}\n## The second`), bodies[3]);
  assert.match(
    bodies[3] ?? "",
    /stack prod, commit 0123456, \[run\]\(https:\/\/github\.test\/acme\/shop\/actions\/runs\/42\)/,
  );
  const id = server.comments.get(7)?.[3]?.id;
  assert.deepEqual(
    linesOf(server).filter((line) => !line.startsWith("GET")),
    ["POST /issues/7/comments", `PATCH /issues/comments/${id}`],
  );
  assert.ok(server.sent.every(({ authorization }) => authorization === `Bearer ${token}`));
});

test("two runs at once leave two comments, of which the next run keeps one", async () => {
  await using server = await startGitHubServer();
  server.comment(7, `${marker}\nOne`);
  server.comment(7, `${marker}\nTwo`);
  using job = startJob(server);
  await job.show();
  const [first, ...others] = server.comments.get(7) ?? [];
  assert.match(first?.body ?? "", /The plan/);
  assert.deepEqual(others, []);
});

test("a long plan is cut for the comment, and whole in the summary and the report", async () => {
  await using server = await startGitHubServer();
  using job = startJob(server);
  const sql = "INSERT INTO games VALUES (1);\n".repeat(5000);
  const markdown = `## The plan\n\n### Migrations\n\n<details><summary>SQL</summary>\n\n\`\`\`sql\n${sql}\`\`\`\n\n</details>`;
  await job.show({ markdown });
  const body = server.comments.get(7)?.[0]?.body ?? "";
  assert.ok(body.length <= bodyLimit.most && body.length > bodyLimit.most - 1100, String(body.length));
  assert.match(
    body,
    /\n```\n\n<\/details>\n\n:scissors: \*\*Cut:\*\* \d+ of 5010 lines are not shown, from the section "Migrations" on/,
  );
  assert.match(body, /in \[the summary of the job\]\(https:\/\/github\.test/);
  assert.ok(job.read("summary.md").includes(sql));
  assert.ok(job.read("pgstack-plan-prod-.md").includes(sql));
});

const endings: readonly [code: ExitCode, outcome: string, ends: ExitCode][] = [
  [0, "none", 0],
  [3, "changes", 0],
  [2, "refused", 2],
  [1, "failed", 1],
];

test("a step fails where up would refuse and where the plan failed, and the comment is there all the same", async () => {
  await using server = await startGitHubServer();
  for (const [code, outcome, ends] of endings) {
    using job = startJob(server);
    assert.equal(await job.show({ code, markdown: `## ${outcome}` }), ends);
    assert.ok(job.read("outputs").startsWith(`outcome=${outcome}\n`));
    assert.match(server.comments.get(7)?.[0]?.body ?? "", new RegExp(`## ${outcome}`));
  }
});

test("without a token, and without a pull request, the summary is all, and says so", async () => {
  await using server = await startGitHubServer();
  using poor = startJob(server, { token: "" });
  assert.equal(await poor.show({ code: 2 }), 2);
  assert.match(poor.read("summary.md"), /## The plan[\s\S]*> This run has no token/);
  using pushed = startJob(server, { pull: false });
  assert.equal(await pushed.show(), 0);
  assert.match(pushed.log.join("\n"), /is about no pull request/);
  assert.deepEqual(server.sent, []);
});

test("a token that may not write is a failure with the missing permission, and on a fork a note", async () => {
  await using server = await startGitHubServer();
  const trouble = {
    status: 403,
    body: { message: "Resource not accessible by integration" },
    headers: { "x-accepted-github-permissions": "issues=write; pull_requests=write" },
  };
  server.troubles.push(trouble);
  using job = startJob(server);
  assert.equal(await job.show(), 1);
  assert.equal(
    job.log.join("\n"),
    "error: GitHub answered 403 Forbidden to GET /api/v3/repos/acme/shop/issues/7/comments: Resource not accessible by " +
      'integration. The token lacks the permission "pull-requests: write" (GitHub accepts issues=write; pull_requests=write): docs/ci.md.',
  );
  server.troubles.push(trouble);
  using refused = startJob(server);
  assert.equal(await refused.show({ code: 2 }), 2);
  server.troubles.push({ status: 403, body: { message: `${token} may not write` } }); // what GitHub would never say
  using echoed = startJob(server);
  await echoed.show();
  assert.match(echoed.log.join("\n"), /: \*\*\* may not write\. /);
  server.troubles.push(trouble);
  using forked = startJob(server, { fork: true });
  assert.equal(await forked.show(), 0);
  assert.match(forked.read("summary.md"), /> The pull request comes from a fork/);
});

test("errors of the server and rate limits are tried again, for a bounded time", async () => {
  await using server = await startGitHubServer();
  const access = { api: server.api, token, repository: "acme/shop" };
  const waits: number[] = [];
  const github = openGitHub(access, "issues: write", async (milliseconds) => waits.push(milliseconds));
  const close = () => github.send("POST", "/issues/7/comments", { body: "Done" });
  server.troubles.push(
    { status: 502, body: { message: "Bad Gateway" } },
    {
      status: 403,
      body: { message: "You have exceeded a secondary rate limit" },
      headers: { "retry-after": "7" },
    },
    { status: 429, body: { message: "slow down" } },
  );
  await close();
  assert.deepEqual(waits.splice(0), [1000, 7000, 60_000]);
  assert.deepEqual(
    server.comments.get(7)?.map(({ body }) => body),
    ["Done"],
  );

  server.troubles.push(...Array(9).fill({ status: 503, body: { message: "no server is available" } }));
  const late =
    /^GitHub answered 503 Service Unavailable to POST .*: no server is available\. GitHub could not/;
  await assert.rejects(close, (error: ApiError) => late.test(error.message) && error.status === 503);
  assert.deepEqual(waits.splice(0), [1000, 2000, 4000, 8000]);

  server.troubles.splice(0, Infinity, {
    status: 429,
    body: { message: "" },
    headers: { "retry-after": "3600" },
  });
  await assert.rejects(close, /429 Too Many Requests .*rate limit of the token is used up/);
  server.troubles.push({ status: 422, body: { message: "Validation Failed" } });
  await assert.rejects(close, /422 Unprocessable Entity .*: Validation Failed\.$/);
  assert.deepEqual(waits, []);

  const nobody = openGitHub({ ...access, api: "http://127.0.0.1:1" }, "issues: write", async () => {});
  await assert.rejects(
    () => nobody.list("/issues", v.object({})),
    (error) => error instanceof ApiError && /^No answer from http:\/\/127\.0\.0\.1:1: /.test(error.message),
  );
});

test("the token goes to no other server than the API", async () => {
  await using server = await startGitHubServer();
  await using other = await startGitHubServer();
  const moved = { link: `<${other.api}/repos/acme/shop/issues?page=2>; rel="next"` };
  server.troubles.push(
    { status: 200, headers: moved, body: [] },
    { status: 200, body: { message: "Log in" } },
  );
  const github = openGitHub({ api: server.api, token, repository: "acme/shop" }, "issues: write");
  const list = () => github.list("/issues", v.object({}));
  await assert.rejects(list, (error: ApiError) => /Expected the next page on/.test(error.message));
  await assert.rejects(list, (error: ApiError) => /Expected a list of GitHub's/.test(error.message));
  assert.deepEqual(other.sent, []);
});

test("drift opens one issue, keeps it while it lasts, and closes it when it is gone", async () => {
  await using server = await startGitHubServer();
  const drift = { ...subject, mode: "drift", database: "shop" } as const;
  const run = async (code: ExitCode, markdown: string) => {
    using job = startJob(server, { pull: false });
    return [await job.show({ subject: drift, code, markdown }), job.read("outputs").split("\n")[0]];
  };
  assert.deepEqual(await run(0, "Everything is as it was declared."), [0, "outcome=none"]);
  assert.equal(server.issues.length, 0);

  assert.deepEqual(await run(3, "## First"), [0, "outcome=drift"]);
  assert.deepEqual(await run(3, "## Second"), [0, "outcome=drift"]);
  const [issue, ...others] = server.issues;
  assert.deepEqual(others, []);
  assert.equal(issue?.title, "Drift: stack prod, database shop");
  assert.deepEqual(issue?.labels, [{ name: "pgstack-drift" }]);
  assert.ok(issue?.body.startsWith(`${markerOf(drift)}\n## Second`));

  Object.assign(issue ?? {}, { state: "closed" }); // by a person, too early
  await run(3, "## Third");
  assert.deepEqual([issue?.state, server.issues.length], ["open", 1]);
  assert.deepEqual(await run(1, "no answer"), [1, "outcome=failed"]);
  assert.equal(issue?.state, "open");

  await run(0, "Everything is as it was declared.");
  await run(0, "Everything is as it was declared.");
  assert.equal(issue?.state, "closed");
  const comments = server.comments.get(issue?.number ?? 0)?.map(({ body }) => body) ?? [];
  assert.equal(comments.length, 1);
  assert.match(comments[0] ?? "", /\[this run\]\(.*\/actions\/runs\/42\) found no drift/);
});

test("drift that no issue can tell of ends with 3", async () => {
  await using server = await startGitHubServer();
  using job = startJob(server, { pull: false, token: "" });
  assert.equal(await job.show({ subject: { ...subject, mode: "drift" }, code: 3 }), 3);
});

test("what stops a plan is shown as its report, and nothing in the log is a command to GitHub's runner", async () => {
  await using server = await startGitHubServer();
  using job = startJob(server);
  const printed: string[] = [];
  const own = { env: job.env, print: (line: string) => printed.push(line), log: () => {} };
  const code = await ciReport(["plan", "acme/another/prod"], {
    ...surroundings,
    ...own,
    internal: async () => undefined,
  });
  assert.equal(code, 2);
  const body = server.comments.get(7)?.[0]?.body ?? "";
  assert.match(
    body,
    /There is no plan: stack acme\/another\/prod\n\nExpected a stack of the project "pgstack"/,
  );
  const [fence = "", report = "", end] = printed;
  assert.match(fence, /^::stop-commands::[0-9a-f-]{36}$/);
  assert.match(report, /Expected a stack of the project/);
  assert.equal(end, `::${fence.split("::")[2]}::`);
});

/** A step's script as GitHub runs `shell: bash`, its variables in a file: a command line would show them. */
function stepOf(project: TestProject, env: NodeJS.ProcessEnv): string {
  const [step] = parse(readFileSync(join(projectRoot, "action.yml"), "utf8")).runs.steps;
  project.write("step.sh", step.run);
  project.write(
    "step.env",
    Object.entries(env)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(""),
  );
  return "set -a && . ./step.env && set +a && bash --noprofile --norc -eo pipefail step.sh";
}

test("the action's own script plans a stack, and its token is in no argument, output or file", async () => {
  await using server = await startGitHubServer();
  await using project = createProject();
  using job = startJob(server);
  const called = join(job.directory, "called");
  project.write(
    "pgstack",
    project.read("pgstack").replace("set -eu\n", `set -eu\nprintf '%s\\n' "$*" >>'${called}'\n`),
  );
  const inputs = { PGSTACK_CI_MODE: "plan", PGSTACK_CI_STACK: "dev", PGSTACK_CI_DATABASE: "" };
  const { code, output } = await project.shell(stepOf(project, { ...job.env, ...inputs }));
  assert.equal(code, 0, output);
  const body = server.comments.get(7)?.[0]?.body ?? "";
  assert.match(body, /^<!-- pgstack plan project=pgstack stack=dev database= -->\n## spellbot/);
  assert.match(body, /\| \*\*\+\*\* \| `spellbot_readonly_user` \|/);
  assert.equal(server.sent[0]?.authorization, `Bearer ${token}`);
  assert.ok(job.read("outputs").startsWith("outcome=changes\n"));
  assert.equal(job.read("called"), "env\n--version\nci-report plan --stack dev\n");
  const files = readdirSync(job.directory, { withFileTypes: true }).filter((file) => file.isFile());
  const texts = [output, ...files.map(({ name }) => job.read(name))];
  assert.ok(texts.length > 4 && texts.every((text) => !text.includes(token)));
});
