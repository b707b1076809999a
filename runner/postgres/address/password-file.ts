import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** What a password is looked up by. */
interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** `host:port:database:user:password`, where a backslash stands before a colon that is meant. */
function fieldsOf(line: string): string[] {
  return (line.match(/(?:[^:\\]|\\.)*(?::|$)/g) ?? []).map((field) =>
    field.replace(/:$/, "").replace(/\\(.)/g, "$1"),
  );
}

/** libpq reads no file that others may read. */
function readOwn(file: string): string {
  try {
    const { mode } = statSync(file);
    return (mode & 0o077) === 0 ? readFileSync(file, "utf8") : "";
  } catch {
    return "";
  }
}

/**
 * The password that libpq would find in `~/.pgpass`, or in the file that PGPASSFILE names; undefined where there is none.
 * https://www.postgresql.org/docs/current/libpq-pgpass.html
 */
export function passwordFromFile(login: Login, env: NodeJS.ProcessEnv): string | undefined {
  const file = env.PGPASSFILE || (env.HOME === undefined ? "" : join(env.HOME, ".pgpass"));
  if (file === "") return undefined;
  const host = login.host.startsWith("/") ? "localhost" : login.host; // of a socket in its usual folder
  const wanted = [host, String(login.port), login.database, login.user];
  for (const line of readOwn(file).split("\n")) {
    if (line.startsWith("#")) continue;
    const fields = fieldsOf(line);
    const fits = wanted.every((value, at) => fields[at] === "*" || fields[at] === value);
    if (fits && fields.length > 4) return fields[4];
  }
  return undefined;
}
