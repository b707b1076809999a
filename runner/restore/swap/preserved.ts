import pg from "pg";
import { type Right, readDefaultPrivileges, readRights } from "./grants.ts";

/** What belongs to the target rather than to its content, and therefore outlives a restore. */
export interface Frame {
  readonly schemas: readonly { readonly name: string; readonly owner: string }[];
  readonly extensions: readonly {
    readonly name: string;
    readonly schema: string;
    readonly version: string;
  }[];
  readonly defaultPrivileges: readonly string[];
  readonly rights: readonly Right[];
  /** The owner's search_path on this database, as it is set for the role or the database. */
  readonly searchPath: string;
}

/** Reads the frame of the client's database. */
export async function readFrame(client: pg.Client, owner: string): Promise<Frame> {
  const { rows } = await client.query(
    `SELECT (SELECT coalesce(jsonb_agg(jsonb_build_object('name', nspname, 'owner', pg_get_userbyid(nspowner))), '[]')
         FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'pgstack')) AS schemas,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion, 'schema', nspname)), '[]')
         FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace) AS extensions,
       coalesce((SELECT substr(setting, 13)
         FROM pg_db_role_setting, unnest(setconfig) setting
         WHERE setting LIKE 'search_path=%'
           AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
           AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = $1))
         ORDER BY setrole = 0, setdatabase = 0 LIMIT 1), '"$user", public') AS "searchPath"`,
    [owner],
  );
  return {
    ...rows[0],
    defaultPrivileges: await readDefaultPrivileges(client),
    rights: await readRights(client),
  };
}

/** Makes the schemas that the dump or the target has; those of the dump belong to the owner. */
export async function makeSchemas(
  client: pg.Client,
  frame: Frame,
  ofDump: readonly string[],
  owner: string,
): Promise<void> {
  const own = frame.schemas.filter(({ name }) => !ofDump.includes(name));
  for (const schema of [...ofDump.map((name) => ({ name, owner })), ...own]) {
    const name = pg.escapeIdentifier(schema.name);
    const role = pg.escapeIdentifier(schema.owner);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${name} AUTHORIZATION ${role}`);
  }
}

/** Gives the schema public, which every new database has, to whom it belongs in the target. */
export async function givePublic(client: pg.Client, frame: Frame): Promise<void> {
  const wanted = frame.schemas.find(({ name }) => name === "public");
  if (wanted !== undefined)
    await client.query(`ALTER SCHEMA public OWNER TO ${pg.escapeIdentifier(wanted.owner)}`);
}

/** Makes the target's extensions that the dump did not bring. */
export async function makeExtensions(client: pg.Client, frame: Frame): Promise<void> {
  const { rows } = await client.query<{ extname: string }>("SELECT extname FROM pg_extension");
  const present = new Set(rows.map(({ extname }) => extname));
  for (const { name, schema, version } of frame.extensions.filter((one) => !present.has(one.name))) {
    const [extension, place] = [pg.escapeIdentifier(name), pg.escapeIdentifier(schema)];
    await client.query(
      `CREATE EXTENSION ${extension} SCHEMA ${place} VERSION ${pg.escapeLiteral(version)} CASCADE`,
    );
  }
}

/** Gives the foreign servers that the admin made to the owner. */
export async function giveServers(client: pg.Client, names: readonly string[], owner: string): Promise<void> {
  for (const name of names)
    await client.query(`ALTER SERVER ${pg.escapeIdentifier(name)} OWNER TO ${pg.escapeIdentifier(owner)}`);
}

/** Tables that belong to extensions, as `schema.name`: only the admin may fill them. */
export async function extensionTables(client: pg.Client): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>(`
    SELECT n.nspname || '.' || c.relname AS name
    FROM pg_depend d JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'`);
  return new Set(rows.map(({ name }) => name));
}
