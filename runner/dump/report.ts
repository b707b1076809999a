import { readFile } from "node:fs/promises";
import type { DumpConfig } from "../config/dump.ts";

/** The rows of one table in a dump. */
export interface TableRows {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
}

/** What is known of a complete, verified dump; kept as JSON beside it, in `<path>.json`. */
export interface DumpReport {
  readonly path: string;
  readonly format: DumpConfig["format"];
  readonly compression: string;
  readonly bytes: number;
  readonly sha256: string;
  /** The resource's label; null for a dump made by hand. */
  readonly label: string | null;
  /** The stack that it was made for; null for one made by URL. */
  readonly stack: string | null;
  readonly database: string;
  readonly serverVersion: string;
  readonly programVersion: string;
  /** Number of tables with rows in the dump. */
  readonly tables: number;
  /** Rows of all tables together. */
  readonly rows: number;
  /** Length without compression. */
  readonly textBytes: number;
  readonly seconds: number;
  /** When the dump was begun, in UTC (ISO 8601). */
  readonly createdAt: string;
  /** What the source holds and no dump can, by name. */
  readonly leftOut: readonly string[];
  /** Of a dump of some tables: what these need and the dump does not hold, by name. Older reports lack it. */
  readonly missing?: readonly string[];
  readonly tableRows: readonly TableRows[];
}

/** Where the report on a dump is. */
export function reportPath(path: string): string {
  return `${path.replace(/\/+$/, "")}.json`;
}

function isReport({ sha256, createdAt, bytes, tableRows }: DumpReport): boolean {
  const texts = typeof sha256 === "string" && !Number.isNaN(Date.parse(createdAt));
  return texts && typeof bytes === "number" && Array.isArray(tableRows);
}

/** The report on a dump, or undefined where there is none or where it is not one of ours. */
export async function readReport(path: string): Promise<DumpReport | undefined> {
  try {
    const report = JSON.parse(await readFile(reportPath(path), "utf8")) as DumpReport;
    return isReport(report) ? report : undefined;
  } catch {
    return undefined;
  }
}

/** A report as resources and `--json` show it: without the list of every table. */
export function summaryOf({ tableRows: _, ...summary }: DumpReport): Omit<DumpReport, "tableRows"> {
  return summary;
}
