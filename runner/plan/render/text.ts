import { styleText } from "node:util";
import type { DriftReport, Plan, PlannedMigration, PlannedRole } from "../model.ts";
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

/** Colours by what they mean, or none. */
export interface Palette {
  readonly added: (text: string) => string;
  readonly changed: (text: string) => string;
  readonly removed: (text: string) => string;
  readonly danger: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly title: (text: string) => string;
}

const same = (text: string) => text;

export const noColour: Palette = {
  added: same,
  changed: same,
  removed: same,
  danger: same,
  dim: same,
  title: same,
};

type Format = Parameters<typeof styleText>[0];

const styled = (format: Format) => (text: string) => styleText(format, text, { validateStream: false });

export const terminalColours: Palette = {
  added: styled("green"),
  changed: styled("yellow"),
  removed: styled("red"),
  danger: styled(["bold", "red"]),
  dim: styled("dim"),
  title: styled("bold"),
};

/** A titled part; its lines stand to the right of the title. */
interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

const titleWidth = 12;

function layOut({ title, lines }: Section, { title: paint }: Palette): string[] {
  return lines.map((line, index) =>
    `${index === 0 ? paint(title.padEnd(titleWidth)) : " ".repeat(titleWidth)}${line}`.trimEnd(),
  );
}

function table(rows: readonly (readonly [sign: string, name: string, text: string])[]): string[] {
  const width = Math.max(0, ...rows.map(([, name]) => name.length));
  return rows.map(([sign, name, text]) => `${sign} ${name.padEnd(width)}  ${text}`.trimEnd());
}

const signs = { create: "+", change: "~", drop: "-", none: " " } as const;

function roleLines(roles: readonly PlannedRole[], paint: Palette): string[] {
  const shown = roles.filter(({ change }) => change !== "none");
  const colour = { create: paint.added, change: paint.changed, drop: paint.removed, none: same };
  const lines = table(shown.map((role) => [signs[role.change], role.name, roleText(role)]));
  return lines.map((line, index) => colour[shown[index]?.change ?? "none"](line));
}

function driftLines({ drift }: Pick<Plan, "drift">): string[] {
  return table(drift.map((one) => ["!", one.subject, driftText(one)]));
}

const indented = (text: string, by: number) =>
  text.split("\n").map((line) => (line === "" ? "" : `${" ".repeat(by)}${line}`));

/** The first words of a statement on one line. */
const opening = (sql: string) => {
  const line = sql.replace(/\s+/g, " ");
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
};

function statementLines({ statements }: PlannedMigration, paint: Palette): string[] {
  return statements.flatMap(({ sql, effects, losses }) => {
    const said = [
      ...losses.map((loss) => paint.danger(lossText(loss))),
      ...effects.map((effect) =>
        (weightOf(effect) === "long" ? paint.danger : paint.dim)(effectText(effect)),
      ),
    ];
    return said.length === 0 ? [] : [`    ${opening(sql)}`, ...said.map((text) => `        ${text}`)];
  });
}

function migrationLines(sign: string, migration: PlannedMigration, paint: Palette): string[] {
  const { name, sql, warnings } = migration;
  const head = `${sign} ${name}  ${migrationText(migration)}`;
  return [
    (sign === "+" ? paint.added : paint.removed)(head),
    ...statementLines(migration, paint),
    ...warnings.map((text) => `    ${paint.danger("!")} ${text}`),
    ...indented(sql, 4).map(paint.dim),
  ];
}

function migrationsSection({ migrations }: Plan, paint: Palette): string[] {
  const { apply, revert, adopt, heldBack } = migrations;
  return [
    ...adopt.map((name) => `= ${name}  recorded as applied, if the schema is its`),
    ...apply.flatMap((one) => migrationLines("+", one, paint)),
    ...revert.flatMap((one) => migrationLines("-", one, paint)),
    ...heldBack.map((name) => paint.dim(`  ${name}  held back by migrations.to`)),
  ];
}

function contentSections({ dump, restore, cutover, madeAt }: Plan): Section[] {
  return [
    { title: "Restore", lines: restore === null ? [] : restoreText(restore, madeAt) },
    { title: "Cutover", lines: cutover === null ? [] : cutoverText(cutover, madeAt) },
    { title: "Dumps", lines: dump === null ? [] : [dumpText(dump, madeAt)] },
  ];
}

/** Roles and drift say in words what these do. */
function rightsLines({ rightsStatements: { length } }: Plan): string[] {
  return length === 0 ? [] : [`${count(length, "statement")}; --format json and markdown have the SQL`];
}

function sectionsOf(plan: Plan, paint: Palette): Section[] {
  return [
    { title: "Refused", lines: plan.refusals.flatMap((text) => text.split("\n")).map(paint.danger) },
    { title: "Server", lines: [serverText(plan)].filter((text) => text !== undefined) },
    {
      title: "Data loss",
      lines: lossesOf(plan).map(({ migration, text }) => paint.danger(`${text}, by ${migration}`)),
    },
    { title: "Roles", lines: roleLines(plan.roles, paint) },
    { title: "Drift", lines: driftLines(plan).map(paint.changed) },
    ...contentSections(plan),
    { title: "Migrations", lines: migrationsSection(plan, paint) },
    { title: "Rights", lines: rightsLines(plan) },
    { title: "Notes", lines: plan.notes.flatMap((text) => text.split("\n")) },
    { title: "Not touched", lines: [untouchedText(plan)] },
  ];
}

/** The plan for a terminal or a log. Pure. */
export function renderText(plan: Plan, paint: Palette = noColour): string {
  const sections = sectionsOf(plan, paint)
    .filter(({ lines }) => lines.length > 0)
    .map((section) => layOut(section, paint).join("\n"));
  const end = isQuiet(plan) ? ["Nothing to do."] : [];
  return [paint.title(headline(plan)), "", ...sections, ...end].join("\n");
}

/** What has drifted, for a terminal or a log. Pure. */
export function renderDriftText(report: DriftReport, paint: Palette = noColour): string {
  const lines = driftLines(report).map(paint.changed);
  const found = lines.length === 0 ? ["Everything is as it was declared."] : lines;
  return [paint.title(placeText(report)), "", ...found].join("\n");
}
