import { randomUUID } from "node:crypto";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Call } from "../../runner/cli/command.ts";
import { ExitCode, RefusedError, UserError } from "../../runner/util/errors.ts";
import { findStackCommand } from "../all-commands.ts";
import type { StackCommand } from "../command.ts";
import { readReportCall, reportFlags } from "../commands/report.ts";
import { readProject } from "../project.ts";
import { ApiError, openGitHub } from "./github.ts";
import { closeIssue, keepComment, openIssue } from "./publish.ts";
import { type RunSettings, readRunSettings } from "./settings.ts";
import {
  bodyLimit,
  failureMarkdown,
  fitted,
  markerOf,
  type Subject,
  subjectText,
  summaryLimit,
} from "./text.ts";

// `ci-report plan|drift STACK [--database NAME]`: what action.yml runs in a job of GitHub Actions. It runs the command, and shows
// its report in the job's log, the job's summary, and a comment or an issue.

type Surroundings = Omit<Call, "flags" | "words">;

/** What the command has said. */
export interface Report {
  readonly subject: Subject;
  readonly code: ExitCode;
  readonly markdown: string;
}

function readSubject([mode = "", ...words]: readonly string[]): Subject {
  if (mode !== "plan" && mode !== "drift")
    throw new RefusedError(`Expected the mode plan or drift, found "${mode}".`);
  const { stack, database: databaseFlag } = reportFlags;
  const described = { summary: "", usage: "", flags: { stack, database: databaseFlag } };
  const { name, flags } = readReportCall(described, words);
  const database = typeof flags.database === "string" ? flags.database : undefined;
  return { mode, project: readProject().name, stack: name.given, database };
}

/** Runs `plan` or `drift`. What stops it is its report then, so that the pull request shows it. */
async function makeReport(subject: Subject, surroundings: Surroundings): Promise<Report> {
  const { mode, stack, database } = subject;
  const { run } = (await findStackCommand(mode)) as StackCommand;
  const words = ["--stack", stack, ...(database === undefined ? [] : ["--database", database])];
  const lines: string[] = [];
  try {
    const print = (line: string) => lines.push(line);
    const code = await run([...words, "--format", "markdown"], { ...surroundings, print });
    return { subject, code, markdown: lines.join("\n") };
  } catch (error) {
    const known = error instanceof UserError;
    if (!known) surroundings.log((error as Error).stack ?? String(error));
    const message = known ? error.message : "An error that pgstack cannot explain. The job's log has it.";
    const code = known ? error.exitCode : ExitCode.failed;
    return { subject, code, markdown: failureMarkdown(subject, message) };
  }
}

/** What a step's output `outcome` says. */
function outcomeOf({ code, subject: { mode } }: Report): string {
  if (code === ExitCode.done) return "none";
  if (code === ExitCode.differs) return mode === "plan" ? "changes" : "drift";
  return code === ExitCode.refused ? "refused" : "failed";
}

function writeSummary(report: Report, { summary }: RunSettings): void {
  const around = { before: "", after: "\n\n" };
  const limit = { ...summaryLimit, most: summaryLimit.most - 2000 }; // a note may follow
  if (summary !== undefined)
    appendFileSync(summary, fitted(report.markdown, limit, "the log of this job", around));
}

function writeOutputs(report: Report, { outputs, directory }: RunSettings): void {
  const { mode, stack, database = "" } = report.subject;
  const file = join(directory, `pgstack-${[mode, stack, database].map(encodeURIComponent).join("-")}.md`);
  writeFileSync(file, `${report.markdown}\n`);
  if (outputs !== undefined) appendFileSync(outputs, `outcome=${outcomeOf(report)}\nreport=${file}\n`);
}

/** A comment's or an issue's text: the marker, the report as far as it fits, and where it comes from. */
function bodyOf({ subject, markdown }: Report, { runUrl, pullRequest }: RunSettings): string {
  const commit = pullRequest === undefined ? "" : `, commit ${pullRequest.commit.slice(0, 7)}`;
  const origin = `<sub>pgstack ${subject.mode}, ${subjectText(subject)}${commit}, [run](${runUrl})</sub>`;
  const around = { before: `${markerOf(subject)}\n`, after: `\n\n${origin}\n` };
  return fitted(markdown, bodyLimit, `[the summary of the job](${runUrl})`, around);
}

/** @returns why there is no comment; undefined where there is one */
async function publishPlan(report: Report, settings: RunSettings): Promise<string | undefined> {
  const { access, pullRequest } = settings;
  if (pullRequest === undefined)
    return "This run is about no pull request: the plan is in the job's summary only.";
  if (access === undefined) return "This run has no token: the plan is in the job's summary only.";
  const github = openGitHub(access, "pull-requests: write");
  try {
    await keepComment(github, pullRequest.number, markerOf(report.subject), bodyOf(report, settings));
    return undefined;
  } catch (error) {
    const isReadOnly = error instanceof ApiError && [403, 404].includes(error.status ?? 0);
    if (!pullRequest.fromFork || !isReadOnly) throw error;
    return "The pull request comes from a fork, whose token may only read: the plan is in the job's summary only.";
  }
}

/** @returns why there is no issue; undefined where it is as it should be */
async function publishDrift(report: Report, settings: RunSettings): Promise<string | undefined> {
  const { subject, code } = report;
  if (code !== ExitCode.done && code !== ExitCode.differs) return "The issue about drift stays as it is.";
  if (settings.access === undefined) return "This run has no token: no issue is opened or closed.";
  const github = openGitHub(settings.access, "issues: write");
  const marker = markerOf(subject);
  if (code === ExitCode.differs)
    await openIssue(github, marker, `Drift: ${subjectText(subject)}`, bodyOf(report, settings));
  else
    await closeIssue(
      github,
      marker,
      `Everything is as it was declared: [this run](${settings.runUrl}) found no drift.`,
    );
  return undefined;
}

/** Changes are no fault of a pull request, nor is drift that an issue tells of. */
function exitCodeOf({ code, subject: { mode } }: Report, note: string | undefined): ExitCode {
  if (code !== ExitCode.differs) return code;
  return mode === "drift" && note !== undefined ? ExitCode.differs : ExitCode.done;
}

/**
 * Shows a report: the job's summary, the step's outputs, and the comment or the issue.
 *
 * @returns what the step ends with: 2 where `up` would refuse, 1 for failures, 3 for drift that no issue tells of
 */
export async function publish(
  report: Report,
  settings: RunSettings,
  log: (line: string) => void,
): Promise<ExitCode> {
  writeSummary(report, settings);
  writeOutputs(report, settings);
  try {
    const note = await (report.subject.mode === "plan" ? publishPlan : publishDrift)(report, settings);
    if (note !== undefined) {
      log(`pgstack: ${note}`);
      if (settings.summary !== undefined) appendFileSync(settings.summary, `> ${note}\n`);
    }
    return exitCodeOf(report, note);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    log(`error: ${error.message}`);
    return report.code === ExitCode.refused ? report.code : ExitCode.failed;
  }
}

/** Runs the command `ci-report`. Throws RefusedError where it is called in another way than by action.yml. */
export async function ciReport(words: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  const { env, print, log } = surroundings;
  const settings = readRunSettings(env);
  const subject = readSubject(words);
  const fence = randomUUID();
  print(`::stop-commands::${fence}`); // SQL and names in the log are no commands to GitHub's runner
  try {
    const report = await makeReport(subject, surroundings);
    print(report.markdown);
    return await publish(report, settings, log);
  } finally {
    print(`::${fence}::`);
  }
}
