import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RefusedError } from "../../util/errors.ts";
import { type ConvertedFile, convert } from "./convert.ts";
import { type ForeignMigration, type Format, formats } from "./formats.ts";

/** What an import wrote. */
export interface Imported {
  readonly tool: string;
  readonly files: readonly ConvertedFile[];
  /** Files of the tool that are no migrations in an order, such as Flyway's repeatable ones. */
  readonly leftOut: readonly string[];
}

interface Found {
  readonly format: Format;
  readonly migrations: readonly ForeignMigration[];
}

const code = /\.(?:[cm]?[jt]s|java|go|py|rb)$/;

/** Migrations that are programs: without them the order would have gaps. */
function refusePrograms(folder: string): void {
  const programs = readdirSync(folder).filter((name) => code.test(name) && !name.startsWith("."));
  if (programs.length > 0)
    throw new RefusedError(
      `${programs.join(", ")}: expected SQL, found programs. Write what they do as SQL in their place, in the same order, and import again.`,
    );
}

/** A script with values that its tool puts in would run with the placeholder. */
function refusePlaceholders({ format, migrations }: Found): void {
  const faults = migrations.flatMap(({ source, up, down = "" }) => {
    const [found] =
      format.placeholder === undefined ? [] : (`${up}\n${down}`.match(format.placeholder) ?? []);
    return found === undefined ? [] : [`${source}: ${found} is a placeholder of ${format.tool}`];
  });
  if (faults.length > 0)
    throw new RefusedError(`${faults.join("\n")}\nWrite the values in their place. Nothing was written.`);
}

/** The tool whose migrations a folder holds. Throws RefusedError where it is none, or more than one. */
function recognise(folder: string): Found {
  const found = formats.flatMap((format): Found[] => {
    const migrations = format.read(folder);
    return migrations === undefined ? [] : [{ format, migrations }];
  });
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  const forms = formats.map(({ tool, form }) => `  ${tool}: ${form}`).join("\n");
  if (only === undefined)
    throw new RefusedError(`${folder} holds no migrations of a known tool. Expected one of\n${forms}`);
  const several = found.map(({ format: { tool } }) => tool).join(" and ");
  throw new RefusedError(`${folder} holds migrations of ${several}: import them from a folder each.`);
}

/**
 * Writes the migrations of another tool's folder as files of pgstack, order and text kept.
 * @param directory where they are written; it is made where it is missing
 * Throws RefusedError, before anything is written, where a file cannot be one of ours or is there already.
 */
export function importMigrations(folder: string, directory: string): Imported {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new RefusedError(`Expected a folder of migrations, found none at "${folder}".`);
  refusePrograms(folder);
  const found = recognise(folder);
  refusePlaceholders(found);
  const { format, migrations } = found;
  const files = convert(migrations, format.tool);
  const there = files.filter(({ name }) => existsSync(join(directory, `${name}.sql`)));
  if (there.length > 0)
    throw new RefusedError(
      `${there.map(({ name }) => join(directory, `${name}.sql`)).join(", ")}: there already. Nothing was written; ` +
        "import into another folder with --directory.",
    );
  mkdirSync(directory, { recursive: true });
  for (const { name, text } of files) writeFileSync(join(directory, `${name}.sql`), text, { flag: "wx" });
  return { tool: format.tool, files, leftOut: format.leftOut?.(folder) ?? [] };
}
