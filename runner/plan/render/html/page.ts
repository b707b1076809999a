import { createHash } from "node:crypto";
import type { DriftReport, Plan } from "../../model.ts";
import { headline, isQuiet, placeText, serverText, untouchedText } from "../words.ts";
import { cutover, history } from "./history.ts";
import { type Content, html, Markup } from "./markup.ts";
import { rightsMatrix } from "./rights.ts";
import { schemaPicture } from "./schema.ts";
import { script } from "./script.ts";
import {
  badge,
  besides,
  dataLoss,
  driftTable,
  migrations,
  refusals,
  rights,
  roles,
  type Section,
  section,
} from "./sections.ts";
import { style } from "./style.ts";

const sourceHash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Nothing is loaded from anywhere; of scripts and styles only the page's own run, whatever a name in a database holds. */
const policy = [
  "default-src 'none'",
  `script-src ${sourceHash(script)}`,
  `style-src ${sourceHash(style)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const contents = (sections: readonly Section[]) =>
  html`<nav aria-label="Contents"><ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>`;

/** A page that is complete in one file. @param intro what stands before its sections */
function page(
  title: string,
  intro: Content,
  parts: readonly (Section | undefined)[],
  footer: Content,
): string {
  const sections = parts.filter((one) => one !== undefined);
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${title}</title><style>${new Markup(style)}</style></head><body>
<header><h1>${title}</h1>${intro}${sections.length > 1 ? contents(sections) : undefined}</header>
<main>
${sections}</main>
<footer>${footer}</footer>
<script>${new Markup(script)}</script></body></html>`.text;
}

const made = (madeAt: string) =>
  html`<p class="where">Made at <time datetime="${madeAt}">${madeAt.slice(0, 16).replace("T", " ")} UTC</time></p>`;

function verdict(plan: Plan): Markup {
  if (plan.refusals.length > 0) return badge("bad", "up would refuse");
  if (isQuiet(plan)) return badge("calm", "Nothing to do");
  return plan.changes ? badge("warn", "Changes") : badge("calm", "No changes");
}

/** The plan as one HTML page: what happens, the schema, rights and history. Pure. */
export function renderPage(plan: Plan): string {
  const server = serverText(plan);
  const { drift } = plan;
  const intro = [
    html`<p>${verdict(plan)}</p>`,
    server === undefined ? undefined : html`<p>${server}</p>`,
    made(plan.madeAt),
  ];
  const parts = [
    refusals(plan),
    dataLoss(plan),
    roles(plan),
    section("drift", "Drift", drift.length === 0 ? undefined : driftTable(drift)),
    cutover(plan),
    migrations(plan),
    ...besides(plan),
    schemaPicture(plan),
    rightsMatrix(plan),
    rights(plan),
    history(plan),
  ];
  return page(headline(plan), intro, parts, html`<p>Not touched: ${untouchedText(plan)}.</p>`);
}

/** What has drifted as one HTML page. Pure. */
export function renderDriftPage(report: DriftReport): string {
  const found =
    report.drift.length === 0 ? html`<p>Everything is as it was declared.</p>` : driftTable(report.drift);
  return page(
    `Drift: ${placeText(report)}`,
    made(report.madeAt),
    [section("drift", "Drift", found)],
    undefined,
  );
}
