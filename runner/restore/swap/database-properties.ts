import pg from "pg";
import type { Maintenance } from "./fresh-database.ts";

const quote = pg.escapeIdentifier;
const literal = pg.escapeLiteral;

/** Settings whose stored value is a list of quoted names already (GUC_LIST_QUOTE in PostgreSQL's source). */
const quotedLists = new Set([
  "local_preload_libraries",
  "search_path",
  "session_preload_libraries",
  "temp_tablespaces",
]);

/** Statements that give the fresh database what belongs to the target as a database, its rights left out. */
export async function databaseProperties(
  { client }: Maintenance,
  target: string,
  fresh: string,
): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT pg_get_userbyid(datdba) AS owner, datconnlimit AS connections, shobj_description(oid, 'pg_database') AS comment,
       coalesce((SELECT jsonb_agg(jsonb_build_object('role', rolname, 'settings', setconfig))
         FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = setrole WHERE setdatabase = d.oid), '[]') AS settings
     FROM pg_database d WHERE datname = $1`,
    [target],
  );
  const { owner, connections, comment, settings } = rows[0];
  const name = quote(fresh);
  return [
    ...(settings as { role: string | null; settings: string[] }[]).flatMap((one) =>
      one.settings.map((setting) => alterSetting(name, one.role, setting)),
    ),
    `ALTER DATABASE ${name} CONNECTION LIMIT ${connections}`,
    ...(comment === null ? [] : [`COMMENT ON DATABASE ${name} IS ${literal(comment)}`]),
    `ALTER DATABASE ${name} OWNER TO ${quote(owner)}`,
  ];
}

function alterSetting(database: string, role: string | null, setting: string): string {
  const at = setting.indexOf("=");
  const name = setting.slice(0, at);
  const value = setting.slice(at + 1);
  const subject = role === null ? `DATABASE ${database}` : `ROLE ${quote(role)} IN DATABASE ${database}`;
  const target = name.split(".").map(quote).join(".");
  return `ALTER ${subject} SET ${target} TO ${quotedLists.has(name) ? value || "''" : literal(value)}`;
}
