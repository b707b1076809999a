import { accessSync, constants, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { childEnvironment } from "../../runner/util/child-environment.ts";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const folders = (process.env.PATH ?? "").split(delimiter);
const program = folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isProgram);

/** Why no page can be opened here; false where it can. */
export const withoutBrowser: string | false =
  program === undefined ? `none of ${names.join(", ")} is on the PATH` : false;

/** Starts Chromium without a window. Its sandbox cannot be had as root; the pages are the test's own. */
export function startBrowser(): Promise<Browser> {
  return puppeteer.launch({
    executablePath: program as string,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
    env: childEnvironment(),
    timeout: 120_000,
    protocolTimeout: 300_000,
  });
}

/** What a page complains of: errors, warnings and requests, as text. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${String(error)}`));
  page.on("request", (request) => {
    if (!request.url().startsWith("file:")) complaints.push(`request: ${request.url()}`);
  });
  return complaints;
}

const axeFile = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The rules of axe-core that a page breaks, with the elements. */
export async function barriersOf(page: Page): Promise<string[]> {
  await page.evaluate(readFileSync(axeFile, "utf8"));
  const found = await page.evaluate("axe.run().then(({ violations }) => violations)");
  return (found as { id: string; nodes: { html: string }[] }[]).flatMap(({ id, nodes }) =>
    nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`),
  );
}
