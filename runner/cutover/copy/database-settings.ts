import type pg from "pg";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { identifier, literal } from "../../postgres/sql.ts";
import { existingRoles } from "./ownership.ts";

/** What `ALTER DATABASE … SET` or `ALTER ROLE … IN DATABASE … SET` has set; role is null for the former. */
export interface DatabaseSetting {
  readonly role: string | null;
  readonly name: string;
  readonly value: string;
}

const here = "setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())";

/** The database's settings, save `default_transaction_read_only`: a freeze, also one by hand, stays where it is. */
export async function listSettings(client: pg.Client): Promise<DatabaseSetting[]> {
  const rows = await rowsOf<DatabaseSetting>(
    client,
    `SELECT CASE WHEN setrole = 0 THEN NULL ELSE pg_get_userbyid(setrole) END AS role,
       split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value
     FROM pg_db_role_setting, unnest(setconfig) setting WHERE ${here} ORDER BY 1 NULLS FIRST, 2`,
  );
  return rows.filter(({ role, name }) => role !== null || name !== "default_transaction_read_only");
}

/** Settings whose value is a list of quoted names, kept by the server as SQL writes it (GUC_LIST_QUOTE). */
const lists = new Set([
  "search_path",
  "local_preload_libraries",
  "session_preload_libraries",
  "shared_preload_libraries",
  "temp_tablespaces",
  "unix_socket_directories",
]);

/** Sets them on the target's database, for the database and for roles that exist there and are not `declared`. */
export async function applySettings(
  client: pg.Client,
  settings: readonly DatabaseSetting[],
  declared: readonly string[],
): Promise<void> {
  const roles = await existingRoles(client);
  const current = await oneRow<{ name: string }>(client, "SELECT current_database() AS name");
  const database = identifier(current.name);
  for (const { role, name, value } of settings) {
    if (role !== null && (!roles.has(role) || declared.includes(role))) continue;
    const subject =
      role === null ? `DATABASE ${database}` : `ROLE ${identifier(role)} IN DATABASE ${database}`;
    const words = lists.has(name) ? value || "''" : literal(value);
    const key = name.split(".").map(identifier).join(".");
    await client.query(`ALTER ${subject} SET ${key} TO ${words}`);
  }
}
