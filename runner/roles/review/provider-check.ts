import type pg from "pg";
import { type ConnectionSettings, withClient } from "../../postgres/connection.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { identifier } from "../../postgres/sql.ts";
import { UserError } from "../../util/errors.ts";
import { type Membership, readMemberships } from "../plan/kept-memberships.ts";

/** What a stack says to Pulumi's postgresql provider that depends on the server. */
export interface ProviderCheckRequest {
  /** The stack's roles, those to come among them. */
  readonly roles: readonly string[];
  /** Of these, what existed before the stack: its memberships stay. */
  readonly adopted: readonly string[];
  /** Instants in UTC (ISO 8601), at which passwords end. */
  readonly instants: readonly string[];
}

/** What the server answers. */
export interface ProviderCheck {
  /** By instant, the text that the provider reads back. An instant is missing where the server cannot be reached. */
  readonly texts: Readonly<Record<string, string>>;
  /** The memberships of adopted roles. */
  readonly memberships: readonly Membership[];
  /** What the provider cannot read, a line each, with the way past it. */
  readonly refusals: readonly string[];
}

/** A role's own setting in a form that people type, such as `30s`. */
export interface SettingWithUnit {
  readonly role: string;
  readonly name: string;
  readonly value: string;
  /** The same value in whole milliseconds. */
  readonly milliseconds: string;
}

/**
 * The timeouts of roles that have a unit. The provider reads rolconfig with strconv.Atoi, so it fails on every other form
 * than a number.
 */
export async function readSettingsWithUnit(
  client: pg.Client,
  roles: readonly string[],
): Promise<SettingWithUnit[]> {
  const found = await rowsOf<Omit<SettingWithUnit, "milliseconds">>(
    client,
    `SELECT rolname AS role, split_part(setting, '=', 1) AS name, split_part(setting, '=', 2) AS value
     FROM pg_roles, unnest(rolconfig) setting WHERE rolname = ANY ($1)
       AND setting ~ '^(statement_timeout|idle_in_transaction_session_timeout)=' AND setting !~ '=[0-9]+$' ORDER BY 1, 2`,
    [roles],
  );
  const settings: SettingWithUnit[] = [];
  for (const setting of found)
    settings.push({ ...setting, milliseconds: await inMilliseconds(client, setting) });
  return settings;
}

/** The server's own reading of a time, since it knows every form of one. */
async function inMilliseconds(
  client: pg.Client,
  { name, value }: Omit<SettingWithUnit, "milliseconds">,
): Promise<string> {
  await client.query("BEGIN READ ONLY");
  await client.query("SELECT set_config($1, $2, true)", [name, value]);
  const [row] = await rowsOf<{ setting: string }>(client, "SELECT setting FROM pg_settings WHERE name = $1", [
    name,
  ]);
  await client.query("ROLLBACK");
  return row?.setting ?? value;
}

/** What to do about such a setting. */
export function adviceOn({ role, name, value, milliseconds }: SettingWithUnit): string {
  return (
    `role "${role}" has ${name} = '${value}', and the postgresql provider reads whole milliseconds only; ` +
    `run this first: ALTER ROLE ${identifier(role)} SET ${name} = ${milliseconds}`
  );
}

/**
 * Instants as the server writes them to the provider's driver, lib/pq, which asks for DateStyle ISO: the provider compares
 * texts, and the server writes them in the time zone that the admin's sessions have.
 */
async function readTexts(client: pg.Client, instants: readonly string[]): Promise<Record<string, string>> {
  if (instants.length === 0) return {};
  await client.query("BEGIN READ ONLY; SET LOCAL DateStyle = 'ISO, MDY'");
  const rows = await rowsOf<{ instant: string; text: string }>(
    client,
    "SELECT instant, instant::timestamptz::text AS text FROM unnest($1::text[]) instant",
    [instants],
  );
  await client.query("COMMIT");
  return Object.fromEntries(rows.map(({ instant, text }) => [instant, text]));
}

/**
 * Asks the server for what the provider has to be told in the server's own words. A server that cannot be reached is an
 * answer too.
 * @param admin the way to the server as the provider goes it
 */
export async function checkProvider(
  admin: ConnectionSettings,
  { roles, adopted, instants }: ProviderCheckRequest,
): Promise<ProviderCheck> {
  try {
    return await withClient(admin, async (client) => ({
      texts: await readTexts(client, instants),
      memberships: await readMemberships(client, adopted),
      refusals: (await readSettingsWithUnit(client, roles)).map(adviceOn),
    }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { texts: {}, memberships: [], refusals: [] };
  }
}
