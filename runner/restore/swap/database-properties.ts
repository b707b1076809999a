import { oneRow } from "../../postgres/rows.ts";
import { identifier, literal } from "../../postgres/sql.ts";
import type { Maintenance } from "./fresh-database.ts";

/** Settings whose stored value is a list of quoted names already (GUC_LIST_QUOTE in PostgreSQL's source). */
const quotedLists = new Set([
  "local_preload_libraries",
  "search_path",
  "session_preload_libraries",
  "temp_tablespaces",
]);

interface PropertiesRow {
  readonly owner: string;
  readonly connections: number;
  readonly comment: string | null;
  /** `role` is null for settings of the database itself. */
  readonly settings: readonly { readonly role: string | null; readonly settings: readonly string[] }[];
}

/** What belongs to a database as a database, its rights left out. */
interface DatabaseProperties {
  /** Give all but the comment to another database. */
  readonly statements: readonly string[];
  readonly comment: string | null;
}

/** Reads the target's properties, as statements for the fresh database. */
export async function databaseProperties(
  { client }: Maintenance,
  target: string,
  fresh: string,
): Promise<DatabaseProperties> {
  const { owner, connections, comment, settings } = await oneRow<PropertiesRow>(
    client,
    `SELECT pg_get_userbyid(datdba) AS owner, datconnlimit AS connections, shobj_description(oid, 'pg_database') AS comment,
       coalesce((SELECT jsonb_agg(jsonb_build_object('role', rolname, 'settings', setconfig))
         FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = setrole WHERE setdatabase = d.oid), '[]') AS settings
     FROM pg_database d WHERE datname = $1`,
    [target],
  );
  const name = identifier(fresh);
  const statements = [
    ...settings.flatMap((one) => one.settings.map((setting) => alterSetting(name, one.role, setting))),
    `ALTER DATABASE ${name} CONNECTION LIMIT ${connections}`,
    `ALTER DATABASE ${name} OWNER TO ${identifier(owner)}`,
  ];
  return { statements, comment };
}

function alterSetting(database: string, role: string | null, setting: string): string {
  const at = setting.indexOf("=");
  const name = setting.slice(0, at);
  const value = setting.slice(at + 1);
  const subject = role === null ? `DATABASE ${database}` : `ROLE ${identifier(role)} IN DATABASE ${database}`;
  const target = name.split(".").map(identifier).join(".");
  return `ALTER ${subject} SET ${target} TO ${quotedLists.has(name) ? value || "''" : literal(value)}`;
}
