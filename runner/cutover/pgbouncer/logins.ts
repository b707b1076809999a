import { readFileSync } from "node:fs";
import type pg from "pg";
import { withClient } from "../../connection.ts";
import { UserError } from "../../user-error.ts";
import type { Obstacles } from "../obstacles.ts";
import type { Cutover } from "../request.ts";
import { isSuperuser, withAdmin } from "../session.ts";
import { type Entry, valuesOf } from "./config-file.ts";

/** By user: a password, or a verifier (`md5…`, `SCRAM-SHA-256$…`). */
type Secrets = ReadonlyMap<string, string>;

const isVerifier = (secret: string) => /^(md5[0-9a-f]{32}$|SCRAM-SHA-256\$)/.test(secret);

/** Lines of `"user" "secret"`: https://www.pgbouncer.org/config.html#authentication-file-format */
export function parseAuthFile(text: string): Secrets {
  const lines = text.matchAll(/^"((?:[^"]|"")*)"[ \t]+"((?:[^"]|"")*)"/gm);
  const unquote = (part = "") => part.replaceAll('""', '"');
  return new Map([...lines].map(([, user, secret]) => [unquote(user), unquote(secret)]));
}

async function verifiersOf(client: pg.Client): Promise<Secrets | undefined> {
  if (!(await isSuperuser(client))) return undefined;
  const { rows } = await client.query(
    `SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin AND rolpassword IS NOT NULL
       AND has_database_privilege(oid, current_database(), 'CONNECT') AND NOT rolsuper`,
  );
  return new Map(rows.map(({ rolname, rolpassword }) => [rolname, rolpassword]));
}

/** Why PgBouncer, with what it knows of a user, could not log in to the target; undefined where it can. */
async function refusalOf(
  { target }: Cutover,
  [user, secret]: readonly [string, string],
  there: Secrets,
): Promise<string | undefined> {
  if (isVerifier(secret))
    return there.get(user) === secret
      ? undefined
      : "another verifier stands in for it than on the target: PgBouncer logs in with a verifier only where the " +
          "server has the very same (ALTER ROLE … PASSWORD '<the verifier>' on the target), or give it the password itself";
  const login = { ...target, user, password: secret };
  return withClient(login, async () => undefined).catch(
    (error: Error) =>
      `it cannot log in to the target (${(error.cause as Error | undefined)?.message ?? error.message})`,
  );
}

/** What PgBouncer uses for the server: an entry's own user, else each client's, as file or query tell it. */
async function secretsOf(
  source: pg.Client,
  entries: readonly Entry[],
  settings: Record<string, string | null>,
): Promise<Secrets> {
  const values = entries.map(({ text }) => valuesOf(text));
  const forced = values.filter(({ user }) => user !== undefined);
  if (forced.length === entries.length)
    return new Map(forced.map(({ user = "", password = "" }) => [user, password]));
  const here = (await verifiersOf(source)) ?? new Map<string, string>();
  const listed = parseAuthFile(settings.auth_file ? readFileSync(settings.auth_file, "utf8") : "");
  const asked = settings.auth_user || values.some(({ auth_user: user }) => user !== undefined);
  const known = [...here].map(([user, verifier]) => [
    user,
    listed.get(user) ?? (asked ? verifier : undefined),
  ]);
  return new Map(known.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

/** Tries, for every user that PgBouncer knows and the source lets in, whether the target lets it in too. */
export async function findLoginObstacles(
  cutover: Cutover,
  entries: readonly Entry[],
  settings: Record<string, string | null>,
): Promise<Obstacles> {
  try {
    const secrets = await withAdmin(cutover.source, (client) => secretsOf(client, entries, settings));
    const there = await withAdmin(cutover.target, verifiersOf);
    const refusals = await Promise.all(
      [...secrets].map(async (pair) => {
        const refusal = await refusalOf(cutover, pair, there ?? new Map());
        return refusal === undefined ? [] : [`user "${pair[0]}" of PgBouncer: ${refusal}`];
      }),
    );
    return { blocking: refusals.flat(), notes: [] };
  } catch (error) {
    if (error instanceof UserError) throw error;
    const note = `whether PgBouncer's users can log in to the target was not tried: ${(error as Error).message}`;
    return { blocking: [], notes: [note] };
  }
}
