import { InvalidScriptError, lineAt, scan } from "../../postgres/sql-lexer.ts";
import { RefusedError } from "../../util/errors.ts";
import { parseSqlFile } from "../files/sql-file.ts";
import { compareNames } from "../plan/order.ts";
import type { ForeignMigration } from "./formats.ts";

/** A file that an import writes. */
export interface ConvertedFile {
  /** `<revision>_<slug>` */
  readonly name: string;
  readonly source: string;
  readonly text: string;
  readonly reversible: boolean;
}

/** Numbers of several parts, such as Flyway's 1.2 and 1.10, as one each, in the same order. */
function revisionsOf(migrations: readonly ForeignMigration[]): string[] {
  const parts = Math.max(0, ...migrations.map(({ version }) => version.length));
  const plain = (part = "0") => part.replace(/^0+(?=\d)/, "");
  const widths = Array.from({ length: parts }, (_, at) =>
    Math.max(...migrations.map(({ version }) => plain(version[at]).length)),
  );
  if (parts === 1) return migrations.map(({ version: [number = ""] }) => number);
  return migrations.map(({ version }) =>
    widths.map((width, at) => plain(version[at]).padStart(width, "0")).join(""),
  );
}

const slugOf = (slug: string) => slug.replace(/[^\p{L}\p{N}_.-]+/gu, "_");

const control = /^(BEGIN|COMMIT|END|START TRANSACTION)\b/;
const alone = /\b(CONCURRENTLY|VACUUM|CREATE DATABASE|ALTER SYSTEM)\b/;

interface Section {
  readonly text: string;
  readonly empty: boolean;
  readonly transaction: boolean;
}

/** One direction, its text as it was but for BEGIN and COMMIT, which become comments. Throws RefusedError with file and line. */
function sectionOf(sql: string, { source, transaction = true }: ForeignMigration): Section {
  try {
    const { statements } = scan(sql);
    let text = sql;
    for (const { start, end, words } of statements.toReversed())
      if (control.test(words.slice(0, 2).join(" ")) && !/^BEGIN ATOMIC/.test(words.join(" ")))
        text = `${text.slice(0, start)}-- ${text.slice(start, end)}${text.slice(end)}`;
    const kept = scan(text).statements;
    const needsNone = kept.some(({ words }) => alone.test(words.slice(0, 6).join(" ")));
    return { text: text.trim(), empty: kept.length === 0, transaction: transaction && !needsNone };
  } catch (error) {
    if (!(error instanceof InvalidScriptError)) throw error;
    throw new RefusedError(`${source}:${lineAt(sql, error.offset)}: ${error.message}`, { cause: error });
  }
}

const marker = (direction: string, { transaction }: Section) =>
  `-- migrate: ${direction}${transaction ? "" : " transaction=off"}`;

function textOf(migration: ForeignMigration, tool: string): Pick<ConvertedFile, "text" | "reversible"> {
  const up = sectionOf(migration.up, migration);
  const down = migration.down === undefined ? undefined : sectionOf(migration.down, migration);
  const nothing = up.empty ? ["-- the imported script holds no statement", "SELECT 1;"] : [];
  const reversible = down !== undefined && !down.empty;
  const lines = [
    `-- imported from ${tool}: ${migration.source}`,
    "",
    marker("up", up),
    "",
    ...(up.text === "" ? [] : [up.text]),
    ...nothing,
    "",
    ...(reversible ? [marker("down", down), "", down.text] : ["-- migrate: down irreversible"]),
    "",
  ];
  return { text: lines.join("\n"), reversible };
}

/**
 * Turns a tool's migrations into files of pgstack, in the same order.
 * Throws RefusedError with every file that cannot be one, and where two have one revision.
 */
export function convert(migrations: readonly ForeignMigration[], tool: string): ConvertedFile[] {
  const revisions = revisionsOf(migrations);
  const faults: string[] = [];
  const files = migrations.flatMap((migration, at): ConvertedFile[] => {
    const name = `${revisions[at]}_${slugOf(migration.slug)}`;
    try {
      const converted = textOf(migration, tool);
      parseSqlFile(converted.text, name, migration.source);
      return [{ name, source: migration.source, ...converted }];
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      faults.push(error.message);
      return [];
    }
  });
  const byRevision = Map.groupBy(files, ({ name }) => BigInt(name.match(/^\d+/)?.[0] ?? 0));
  for (const [, same] of byRevision)
    if (same.length > 1)
      faults.push(
        `${same.map(({ source }) => source).join(" and ")} have one revision; give one of them another number`,
      );
  if (faults.length > 0) throw new RefusedError(`${faults.join("\n")}\nNothing was written.`);
  return files.sort((a, b) => compareNames(a.name, b.name));
}
