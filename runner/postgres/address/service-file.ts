import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { RefusedError } from "../../util/errors.ts";

/** Where libpq looks: https://www.postgresql.org/docs/current/libpq-pgservice.html. The last is Debian's. */
function places({ PGSERVICEFILE, HOME, PGSYSCONFDIR }: NodeJS.ProcessEnv): string[] {
  return [
    PGSERVICEFILE ?? (HOME === undefined ? "" : join(HOME, ".pg_service.conf")),
    ...[PGSYSCONFDIR ?? "", "/etc/postgresql-common"]
      .filter(Boolean)
      .map((folder) => join(folder, "pg_service.conf")),
  ].filter((file) => file !== "" && existsSync(file));
}

/** The lines of one section. */
function sectionOf(text: string, name: string): string[] | undefined {
  const lines = text.split("\n").map((line) => line.trim());
  const start = lines.indexOf(`[${name}]`);
  if (start < 0) return undefined;
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => line.startsWith("["));
  return rest.slice(0, end < 0 ? rest.length : end).filter((line) => line !== "" && !line.startsWith("#"));
}

/** The parameters of a service, by libpq's names. Throws RefusedError where no file has it. */
export function serviceParameters(name: string, env: NodeJS.ProcessEnv): Record<string, string> {
  const files = places(env);
  for (const file of files) {
    const lines = sectionOf(readFileSync(file, "utf8"), name);
    if (lines === undefined) continue;
    return Object.fromEntries(lines.map((line): [string, string] => pairOf(line, file, name)));
  }
  throw new RefusedError(
    `Expected the service "${name}" in a service file, found it in none: ${files.join(", ") || "there is no ~/.pg_service.conf"}.`,
  );
}

function pairOf(line: string, file: string, service: string): [string, string] {
  const at = line.indexOf("=");
  if (at < 1)
    throw new RefusedError(
      `Expected keyword=value in each line of service "${service}" in ${file}, found another.`,
    );
  return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}
