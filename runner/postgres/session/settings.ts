import type pg from "pg";

/**
 * Time limits that a database or a role may have as a default (ALTER DATABASE … SET, ALTER ROLE … SET) and that would end a session of
 * pgstack in the middle. 0 is no limit. Work that needs a limit sets its own.
 */
const timeouts = [
  "statement_timeout",
  "lock_timeout",
  "idle_in_transaction_session_timeout",
  "idle_session_timeout",
];

/** Command-line options of a server session, for PGOPTIONS or the startup packet. A blank in a value is escaped. */
export function sessionOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, "\\$&")}`)
    .join(" ");
}

/**
 * What each session of pgstack states for itself as it connects. RESET ALL comes back to these.
 * https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-STATEMENT-TIMEOUT
 */
export const pinnedSettings: Readonly<Record<string, string>> = Object.fromEntries(
  timeouts.map((name) => [name, "0"]),
);

/** The first version with transaction_timeout: https://www.postgresql.org/docs/17/release-17.html */
const transactionTimeoutMajor = 17;

/** Sets what only newer servers know, and would refuse to connect for if they did not. */
export async function pinNewerSettings(client: pg.Client, major: number): Promise<void> {
  if (major >= transactionTimeoutMajor) await client.query("SET transaction_timeout = 0");
}

/**
 * True where what answers does not take settings as a session begins: a pooler such as PgBouncer, unless its
 * `ignore_startup_parameters` names `options`; or a server older than one of the settings.
 */
export function refusesOptions(error: unknown): boolean {
  const { code, message } = error as pg.DatabaseError;
  return code === "42704" || /startup param|command-line options|option.*not supported/i.test(message);
}
