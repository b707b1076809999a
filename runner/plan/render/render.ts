import { RefusedError } from "../../util/errors.ts";
import type { DriftReport, Plan } from "../model.ts";
import { renderDriftPage, renderPage } from "./html/page.ts";
import { renderDriftMarkdown, renderMarkdown } from "./markdown.ts";
import { noColour, renderDriftText, renderText, terminalColours } from "./text.ts";

/** The forms in which a plan is written. */
export const formats = ["text", "markdown", "json", "html"] as const;
export type Format = (typeof formats)[number];

/** Reads `--format`. Throws RefusedError for another word. */
export function formatOf(text: string): Format {
  const found = formats.find((format) => format === text);
  if (found === undefined) throw new RefusedError(`--format takes ${formats.join(", ")}; found "${text}".`);
  return found;
}

/**
 * A plan in one of its forms. Pure.
 * @param coloured whether a text goes to a terminal that shows colours
 */
export function renderPlan(plan: Plan, format: Format, coloured: boolean): string {
  if (format === "json") return JSON.stringify(plan);
  if (format === "html") return renderPage(plan);
  if (format === "markdown") return renderMarkdown(plan);
  return renderText(plan, coloured ? terminalColours : noColour);
}

/** What `plan` ends with: 2 where `up` would refuse, 3 where it would change something, else 0. */
export function exitCodeOf({ refusals, changes }: Pick<Plan, "refusals" | "changes">): 0 | 2 | 3 {
  if (refusals.length > 0) return 2;
  return changes ? 3 : 0;
}

/** What has drifted in one of the same forms. Pure. */
export function renderDrift(report: DriftReport, format: Format, coloured: boolean): string {
  if (format === "json") return JSON.stringify(report);
  if (format === "html") return renderDriftPage(report);
  if (format === "markdown") return renderDriftMarkdown(report);
  return renderDriftText(report, coloured ? terminalColours : noColour);
}
