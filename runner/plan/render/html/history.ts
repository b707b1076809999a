import type { AppliedRevision, CutoverStage, Plan } from "../../model.ts";
import { cutoverText, stageText } from "../words.ts";
import { html, type Markup } from "./markup.ts";
import { badge, list, type Section, section, table } from "./sections.ts";

const day = (iso: string) => `${iso.slice(0, 16).replace("T", " ")} UTC`;

/** A duration for people. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 120) return `${Number(seconds.toPrecision(3))} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Number((seconds / 3600).toPrecision(3))} h`;
}

function row({ name, appliedAt, appliedBy, milliseconds, baseline, reverted }: AppliedRevision): Markup {
  const mark = reverted ? badge("bad", "Revert") : undefined;
  const time = baseline ? "recorded, not run" : formatDuration(milliseconds);
  return html`<tr><th scope="row"><code>${name}</code> ${mark}</th><td><time datetime="${appliedAt}">${day(
    appliedAt,
  )}</time></td><td>${appliedBy}</td><td class="number">${time}</td></tr>`;
}

/** When which migration was applied, by whom, and how long it took; the newest first. */
export function history({ history = [] }: Plan): Section | undefined {
  if (history.length === 0) return undefined;
  const rows = history.toReversed().map(row);
  return section("history", "History", table("History", ["Migration", "Applied", "By", "Duration"], rows));
}

const width = 1000;

/** From when to when a stage lasts, on the time of all of them. @param scale units a second */
function bar(begin: number, seconds: number, scale: number): Markup {
  const length = Math.max(2, seconds * scale).toFixed(1);
  return html`<svg class="bars" viewBox="0 0 ${width} 20" preserveAspectRatio="none" aria-hidden="true"><rect class="whole" width="${width}" height="20"></rect><rect class="part" x="${(begin * scale).toFixed(1)}" width="${length}" height="20"></rect></svg>`;
}

/** A row a stage, with its bar on the time line. */
function timeLine(stages: readonly CutoverStage[]): Markup | undefined {
  const total = stages.reduce((sum, { seconds }) => sum + seconds, 0);
  if (total === 0) return undefined;
  let begin = 0;
  const rows = stages.map((stage) => {
    const drawn = bar(begin, stage.seconds, width / total);
    begin += stage.seconds;
    return html`<tr><th scope="row">${stageText(stage)}</th><td>${drawn}</td></tr>`;
  });
  return table("Stages of the rehearsal", ["Stage", "Time line"], rows);
}

/** The cutover in words, and its rehearsal's stages on a time line. */
export function cutover({ cutover, madeAt }: Plan): Section | undefined {
  if (cutover === null) return undefined;
  const stages = cutover.rehearsal?.stages ?? [];
  const line = timeLine(stages);
  const drawn = new Set(line === undefined ? [] : stages.map(stageText));
  const blocking = new Set(cutover.rehearsal?.blocking.map((text) => `in the way of a switch: ${text}`));
  const lines = cutoverText(cutover, madeAt)
    .filter((text) => !drawn.has(text))
    .map((text) => (blocking.has(text) ? [badge("bad", "Blocks"), text] : text));
  return section("cutover", "Cutover", [list(lines), line]);
}
