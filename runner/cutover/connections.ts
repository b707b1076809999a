import type pg from "pg";
import { type ConnectionSettings, openClient, withClient } from "../postgres/connection.ts";
import { oneRow } from "../postgres/rows.ts";
import { announcedProcess } from "../postgres/session/wire.ts";

/** The administrator's connection to one database of a cutover. */
export interface SideSettings extends ConnectionSettings {
  /** Milliseconds that a statement may take; without it there is no limit. Under a freeze there always is one. */
  readonly statementTimeout?: number | undefined;
}

/**
 * What a database or a role may have set that would bend the work, set for the session: a frozen database makes
 * transactions read-only by default. Queries of the catalog are compiled for longer than they run.
 */
const pins = `
  SET default_transaction_read_only = off;
  SET default_transaction_isolation = 'read committed';
  SET client_min_messages = warning;
  SET jit = off;
  SET row_security = off`;

async function pin(client: pg.Client, { statementTimeout = 0 }: SideSettings): Promise<void> {
  const limit = statementTimeout > 0 ? `; SET statement_timeout = ${Math.ceil(statementTimeout)}` : "";
  await client.query(`${pins}${limit}`);
}

/** Opens a session that sees every row and that no setting of database or role ends; the caller closes it. */
export async function openAdmin(settings: SideSettings): Promise<pg.Client> {
  const client = await openClient(settings); // without the time limits of database and role
  try {
    await pin(client, settings);
    return client;
  } catch (error) {
    await close(client);
    throw error;
  }
}

/** Closes a session, also one that the server has ended. */
export async function close(client: pg.Client): Promise<void> {
  await client.end().catch(() => {});
}

/** Lends such a session and closes it afterwards. */
export async function withAdmin<T>(
  settings: SideSettings,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return withClient(settings, async (client) => {
    await pin(client, settings);
    return use(client);
  });
}

/** Lends a session for each of the settings; they are opened at once. */
export async function withAdmins<T>(
  settings: readonly SideSettings[],
  use: (clients: readonly pg.Client[]) => Promise<T>,
): Promise<T> {
  const opening = await Promise.allSettled(settings.map(openAdmin));
  const clients = opening.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  try {
    for (const one of opening) if (one.status === "rejected") throw one.reason;
    return await use(clients);
  } finally {
    await Promise.all(clients.map(close));
  }
}

/**
 * Keeps ordinary triggers and event triggers from firing, for the session or the transaction. Where the user may not set
 * that (before PostgreSQL 15 only superusers may; later it can be granted), they fire.
 */
export const withoutTriggers = (scope: "SESSION" | "LOCAL") =>
  `DO $$ BEGIN SET ${scope} session_replication_role = replica; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$`;

/** Names a database the world over: its server's system identifier and its name. */
export async function identityOf(client: pg.Client): Promise<string> {
  const { identity } = await oneRow<{ identity: string }>(
    client,
    "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || current_database() AS identity",
  );
  return identity;
}

/** The process of a session on its server. */
export function backendOf(client: pg.Client): number {
  return Number(announcedProcess(client));
}

/** Whether the session's user is a superuser. */
export async function isSuperuser(client: pg.Client): Promise<boolean> {
  const { superuser } = await oneRow<{ superuser: boolean }>(
    client,
    "SELECT current_setting('is_superuser') = 'on' AS superuser",
  );
  return superuser;
}
