import { readFileSync } from "node:fs";
import type pg from "pg";
import { asUser, type ConnectionSettings, withClient } from "../../postgres/connection.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { UserError } from "../../util/errors.ts";
import { isSuperuser, withAdmin } from "../connections.ts";
import type { PreflightIssues } from "../preflight.ts";
import type { CutoverSettings } from "../settings.ts";
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

async function verifiersOf(client: pg.Client): Promise<Secrets> {
  if (!(await isSuperuser(client))) return new Map();
  const rows = await rowsOf<{ rolname: string; rolpassword: string }>(
    client,
    `SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin AND rolpassword IS NOT NULL
       AND has_database_privilege(oid, current_database(), 'CONNECT') AND NOT rolsuper`,
  );
  return new Map(rows.map(({ rolname, rolpassword }) => [rolname, rolpassword]));
}

type Login = readonly [user: string, secret: string];

/** The server's reason to refuse a password; undefined where it takes it. */
async function passwordRefusal(
  database: ConnectionSettings,
  [user, password]: Login,
): Promise<string | undefined> {
  return withClient(asUser(database, { user, password }), async () => undefined).catch(
    (error: Error) => (error.cause as Error | undefined)?.message ?? error.message,
  );
}

/** Why PgBouncer, which can log in to the source, could not to the target; undefined where it can, or cannot now. */
async function refusalOf(
  { source, target }: CutoverSettings,
  login: Login,
  verifiers: { readonly here: Secrets; readonly there: Secrets },
): Promise<string | undefined> {
  const [user, secret] = login;
  if (!isVerifier(secret)) {
    const refusal = await passwordRefusal(target, login);
    if (refusal === undefined || (await passwordRefusal(source, login)) !== undefined) return undefined;
    return `it cannot log in to the target (${refusal})`;
  }
  if (verifiers.here.get(user) !== secret || verifiers.there.get(user) === secret) return undefined;
  return (
    "another verifier stands in for it than on the target: PgBouncer logs in with a verifier only where the server has " +
    "the very same (ALTER ROLE … PASSWORD '<the verifier>' on the target), or give it the password itself"
  );
}

/** What PgBouncer uses for the server: an entry's own user, else each client's, as file or query tell it. */
function secretsOf(
  here: Secrets,
  entries: readonly Entry[],
  settings: Record<string, string | null>,
): Secrets {
  const values = entries.map(({ text }) => valuesOf(text));
  const forced = values.filter(({ user }) => user !== undefined);
  if (forced.length === entries.length)
    return new Map(forced.map(({ user = "", password = "" }) => [user, password]));
  const listed = parseAuthFile(settings.auth_file ? readFileSync(settings.auth_file, "utf8") : "");
  const asked = settings.auth_user || values.some(({ auth_user: user }) => user !== undefined);
  const known = [...here].map(([user, verifier]) => [
    user,
    listed.get(user) ?? (asked ? verifier : undefined),
  ]);
  return new Map(known.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

/** Finds, among the users that PgBouncer knows and the source lets in, those whom the target would not. */
export async function findLoginIssues(
  cutover: CutoverSettings,
  entries: readonly Entry[],
  settings: Record<string, string | null>,
): Promise<PreflightIssues> {
  try {
    const here = await withAdmin(cutover.source, verifiersOf);
    const there = await withAdmin(cutover.target, verifiersOf);
    const refusals = await Promise.all(
      [...secretsOf(here, entries, settings)].map(async (login) => {
        const refusal = await refusalOf(cutover, login, { here, there });
        return refusal === undefined ? [] : [`user "${login[0]}" of PgBouncer: ${refusal}`];
      }),
    );
    return { blocking: refusals.flat(), notes: [] };
  } catch (error) {
    if (error instanceof UserError) throw error;
    const note = `whether PgBouncer's users can log in to the target was not tried: ${(error as Error).message}`;
    return { blocking: [], notes: [note] };
  }
}
