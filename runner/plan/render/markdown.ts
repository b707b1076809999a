import type { DriftReport, Plan, PlannedMigration } from "../model.ts";
import {
  count,
  cutoverText,
  driftText,
  dumpText,
  effectText,
  headline,
  isQuiet,
  lossesOf,
  lossText,
  migrationText,
  placeText,
  restoreText,
  roleText,
  serverText,
  untouchedText,
  weightOf,
} from "./words.ts";

/** Text that stands for itself: what comes from a database or a file is no markup and mentions nobody. */
export function escaped(text: string): string {
  return text
    .replace(/[\\`*_{}[\]()#+|~]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("@", "@\u200b")
    .replaceAll("\n", "<br>");
}

/** A name or a word as code, whatever it holds. */
function code(text: string): string {
  const fence = "`".repeat(Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length)) + 1);
  const inner = text.replaceAll("\n", " ").replaceAll("|", "\\|");
  const space = /^`|`$/.test(inner) ? " " : "";
  return `${fence}${space}${inner}${space}${fence}`;
}

/** A block of SQL, fenced by more backticks than it holds. */
function sqlBlock(sql: string): string[] {
  const longest = Math.max(2, ...[...sql.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return [`${fence}sql`, sql, fence];
}

const list = (lines: readonly string[]) => lines.map((line) => `- ${line}`);

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`### ${title}`, "", ...lines, ""];
}

const changes = { create: "**+**", change: "**~**", drop: "**−**", none: "" } as const;

function roleRows({ roles }: Plan): string[] {
  const shown = roles.filter(({ change }) => change !== "none");
  if (shown.length === 0) return [];
  const rows = shown.map(
    (role) => `| ${changes[role.change]} | ${code(role.name)} | ${escaped(roleText(role))} |`,
  );
  return ["| | role | |", "| --- | --- | --- |", ...rows];
}

function driftRows({ drift }: Pick<Plan, "drift">): string[] {
  if (drift.length === 0) return [];
  const rows = drift.map((one) => `| ${one.kind} | ${code(one.subject)} | ${escaped(driftText(one))} |`);
  return ["| | where | found |", "| --- | --- | --- |", ...rows];
}

function statementLines({ statements }: PlannedMigration): string[] {
  return statements.flatMap(({ where, effects, losses }) => [
    ...losses.map((loss) => `- :warning: **${escaped(lossText(loss))}** (${escaped(where)})`),
    ...effects.map((effect) => {
      const long = weightOf(effect) === "long";
      return `- ${long ? ":warning: " : ""}${escaped(effectText(effect))} (${escaped(where)})`;
    }),
  ]);
}

function migrationLines(sign: string, migration: PlannedMigration): string[] {
  const { name, sql, warnings } = migration;
  return [
    `**${sign}** ${code(name)}: ${escaped(migrationText(migration))}`,
    "",
    ...statementLines(migration),
    ...warnings.map((text) => `- :warning: ${escaped(text)}`),
    "",
    "<details><summary>SQL</summary>",
    "",
    ...sqlBlock(sql),
    "",
    "</details>",
    "",
  ];
}

function migrationsLines({ migrations: { apply, revert, adopt, heldBack } }: Plan): string[] {
  return [
    ...list(adopt.map((name) => `${code(name)} is recorded as applied, if the schema is its`)),
    ...apply.flatMap((one) => migrationLines("+", one)),
    ...revert.flatMap((one) => migrationLines("−", one)),
    ...list(heldBack.map((name) => `${code(name)} is held back by \`migrations.to\``)),
  ];
}

function details(summary: string, lines: readonly string[]): string[] {
  return lines.length === 0
    ? []
    : [`<details><summary>${summary}</summary>`, "", ...lines, "", "</details>", ""];
}

/** The plan for a pull request or a job's summary: GitHub's and GitLab's Markdown. Pure. */
export function renderMarkdown(plan: Plan): string {
  const { refusals, notes, dump, restore, cutover, madeAt, rightsStatements } = plan;
  const server = serverText(plan);
  const losses = lossesOf(plan).map(
    ({ migration, text }) => `:warning: **${escaped(text)}**, by ${code(migration)}`,
  );
  return [
    `## ${escaped(headline(plan))}`,
    "",
    ...(isQuiet(plan) ? ["Nothing to do.", ""] : []),
    ...section(":no_entry: `up` refuses", list(refusals.map(escaped))),
    ...(server === undefined ? [] : [escaped(server), ""]),
    ...section("Data loss", list(losses)),
    ...section("Roles", roleRows(plan)),
    ...section("Drift", driftRows(plan)),
    ...section("Restore", restore === null ? [] : list(restoreText(restore, madeAt).map(escaped))),
    ...section("Cutover", cutover === null ? [] : list(cutoverText(cutover, madeAt).map(escaped))),
    ...section("Dump", dump === null ? [] : list([escaped(dumpText(dump, madeAt))])),
    ...section("Migrations", migrationsLines(plan)),
    ...section("Notes", list(notes.map(escaped))),
    ...details(
      `Rights: ${count(rightsStatements.length, "statement")}`,
      rightsStatements.length === 0 ? [] : sqlBlock(rightsStatements.map((sql) => `${sql};`).join("\n")),
    ),
    `Not touched: ${untouchedText(plan)}.`,
  ].join("\n");
}

/** What has drifted, for an issue or a job's summary. Pure. */
export function renderDriftMarkdown(report: DriftReport): string {
  const rows = driftRows(report);
  const found = rows.length === 0 ? ["Everything is as it was declared."] : rows;
  return [`## Drift: ${escaped(placeText(report))}`, "", ...found].join("\n");
}
