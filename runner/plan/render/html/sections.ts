import type { Drift, Plan, PlannedMigration, StatementEffect } from "../../model.ts";
import {
  count,
  driftText,
  dumpText,
  effectText,
  lossesOf,
  lossText,
  migrationText,
  restoreText,
  roleText,
  weightOf,
} from "../words.ts";
import { type Content, html, Markup } from "./markup.ts";
import { sqlBlock } from "./sql.ts";

/** A part of the page under its own heading, which the page's table of contents names. */
export class Section extends Markup {
  readonly id: string;
  readonly title: string;
  constructor(id: string, title: string, content: Content) {
    const { text } =
      html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${content}</section>
`;
    super(text);
    this.id = id;
    this.title = title;
  }
}

/** A part of the page; nothing where it has no content. */
export function section(id: string, title: string, content: Content): Section | undefined {
  const isEmpty = content === undefined || (Array.isArray(content) && content.length === 0);
  return isEmpty ? undefined : new Section(id, title, content);
}

/** A list; nothing where it is empty. */
export function list(items: readonly Content[]): Markup | undefined {
  return items.length === 0 ? undefined : html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`;
}

/** A word on a colour: the colour alone says nothing. */
export const badge = (kind: "bad" | "warn" | "good" | "calm", word: string) =>
  html`<span class="badge ${kind}">${word}</span> `;

/** A table that scrolls by itself on a narrow screen. @param name what it shows */
export function table(name: string, headings: readonly string[], rows: readonly Markup[]): Markup {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${name}"><table><thead><tr>${headings.map(
    (heading) => html`<th scope="col">${heading}</th>`,
  )}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

/** What `up` would refuse. */
export function refusals({ refusals }: Plan): Section | undefined {
  return section("refused", "up refuses", list(refusals.map((text) => [badge("bad", "Refused"), text])));
}

/** Rows and values that are gone afterwards. */
export function dataLoss(plan: Plan): Section | undefined {
  const lines = lossesOf(plan).map(({ migration, text }) => [
    badge("bad", "Data loss"),
    html`${text}, by <code>${migration}</code>`,
  ]);
  return section("loss", "Data loss", list(lines));
}

const changes = {
  create: badge("good", "New"),
  change: badge("warn", "Changed"),
  drop: badge("bad", "Dropped"),
  none: "",
} as const;

/** The roles that change. */
export function roles({ roles }: Plan): Section | undefined {
  const rows = roles
    .filter(({ change }) => change !== "none")
    .map(
      (role) =>
        html`<tr><td>${changes[role.change]}</td><th scope="row"><code>${role.name}</code></th><td>${roleText(role)}</td></tr>`,
    );
  return rows.length === 0
    ? undefined
    : section("roles", "Roles", table("Roles", ["Change", "Role", "What"], rows));
}

/** What has drifted, a row each. */
export function driftTable(drift: readonly Drift[]): Markup {
  const rows = drift.map(
    (one) =>
      html`<tr><td>${badge("warn", one.kind)}</td><th scope="row"><code>${one.subject}</code></th><td>${driftText(one)}</td></tr>`,
  );
  return table("Drift", ["Kind", "Where", "Found"], rows);
}

const weights = {
  long: badge("bad", "Long lock"),
  short: badge("warn", "Short lock"),
  none: badge("calm", "Nobody waits"),
} as const;

const effectLine = (effect: StatementEffect, where: string) => [
  weights[weightOf(effect)],
  html`${effectText(effect)} <span class="where">${where}</span>`,
];

function risks({ statements, warnings }: PlannedMigration): Content[] {
  const ofStatements = statements.flatMap(({ where, effects, losses }) => [
    ...losses.map((loss) => [
      badge("bad", "Data loss"),
      html`${lossText(loss)} <span class="where">${where}</span>`,
    ]),
    ...effects.map((effect) => effectLine(effect, where)),
  ]);
  return [...ofStatements, ...warnings.map((text) => [badge("warn", "Warning"), text])];
}

function migration(direction: Content, one: PlannedMigration): Markup {
  return html`<article><h3>${direction}<code>${one.name}</code></h3><p>${migrationText(one)}</p>${list(
    risks(one),
  )}<details><summary>SQL of <code>${one.file}</code></summary>${sqlBlock(one.sql)}</details></article>
`;
}

/** What runs, in order, with its SQL. */
export function migrations({ migrations: { apply, revert, adopt, heldBack } }: Plan): Section | undefined {
  const others = [
    ...adopt.map(
      (name) => html`${badge("calm", "Recorded")}<code>${name}</code> as applied, if the schema is its`,
    ),
    ...heldBack.map(
      (name) => html`${badge("calm", "Held back")}<code>${name}</code> by <code>migrations.to</code>`,
    ),
  ];
  return section("migrations", "Migrations", [
    ...apply.map((one) => migration(badge("good", "Apply"), one)),
    ...revert.map((one) => migration(badge("bad", "Revert"), one)),
    ...(others.length === 0 ? [] : [list(others)]),
  ]);
}

/** Dump, restore and notes. */
export function besides({ dump, restore, notes, madeAt }: Plan): (Section | undefined)[] {
  return [
    section("restore", "Restore", restore === null ? undefined : list(restoreText(restore, madeAt))),
    section("dump", "Dump", dump === null ? undefined : html`<p>${dumpText(dump, madeAt)}</p>`),
    section("notes", "Notes", list(notes)),
  ];
}

/** The statements about rights and attributes. */
export function rights({ rightsStatements }: Plan): Section | undefined {
  if (rightsStatements.length === 0) return undefined;
  const sql = rightsStatements.map((one) => `${one};`).join("\n");
  return section(
    "grants",
    "Statements about rights",
    html`<details><summary>${count(rightsStatements.length, "statement")}</summary>${sqlBlock(sql)}</details>`,
  );
}
