import { stripTypeScriptTypes } from "node:module";
import { lineAt } from "../../postgres/sql-lexer.ts";
import { RefusedError } from "../../util/errors.ts";
import { checksum } from "./checksum.ts";
import type { MigrationFile } from "./types.ts";

const imports =
  /^[ \t]*(?:import|export)\b\s*(?:[\w$*{},\s]+?\bfrom\s*)?["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']/gm;

/** Node's own stripper, without its warning that it may change: the project pins Node. */
function quietly(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function stripTypes(text: string, file: string): string {
  try {
    return quietly(text);
  } catch (error) {
    throw new RefusedError(`${file}: cannot be read as TypeScript: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** A module that stands alone still runs when the rest of the project has moved on, or is gone. */
function refuseImports(module: string, file: string): void {
  for (const found of module.matchAll(imports)) {
    const source = found[1] ?? found[2] ?? "";
    if (source.startsWith("node:")) continue;
    throw new RefusedError(
      `${file}:${lineAt(module, found.index)}: imports "${source}"; a migration must still run when other files have changed, ` +
        "so it may import types and node: modules only",
    );
  }
}

/**
 * Reads one `.ts` migration, which exports `up` and `down`: a string of SQL, or a function of a `pg` client that runs in
 * the migration's transaction. `export const down = null` marks it irreversible.
 * Throws RefusedError that names the file.
 */
export function parseTypeScriptFile(text: string, name: string, file: string): MigrationFile {
  const module = stripTypes(text, file).trimEnd();
  refuseImports(module, file);
  const exports = (direction: string) =>
    new RegExp(`^export\\s+(?:const|let|var|(?:async\\s+)?function\\*?)\\s+${direction}\\b`, "m").test(
      module,
    );
  for (const direction of ["up", "down"])
    if (!exports(direction))
      throw new RefusedError(
        `${file}: expected "export const ${direction} = …" or "export async function ${direction}(client) …"`,
      );
  const irreversible = /^export\s+const\s+down\s*=\s*null\b/m.test(module);
  const sum = checksum(text);
  return {
    name,
    language: "js",
    file,
    up: module,
    down: irreversible ? null : module,
    checksum: sum,
    upLine: 1,
    downLine: 1,
  };
}
