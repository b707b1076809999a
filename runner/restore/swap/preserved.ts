import type pg from "pg";
import { maybeRow, oneRow, rowsOf } from "../../postgres/rows.ts";
import { identifier, isOfExtension, isUserSchema, literal } from "../../postgres/sql.ts";
import {
  type DefaultPrivilege,
  type Right,
  readDefaultPrivileges,
  readRights,
  rightsDifference,
} from "./grants.ts";
import { tryEach } from "./try-each.ts";

/** What belongs to the target rather than to its content, and therefore outlives a restore. */
export interface Preserved {
  readonly schemas: readonly { readonly name: string; readonly owner: string }[];
  readonly extensions: readonly {
    readonly name: string;
    readonly schema: string;
    readonly version: string;
  }[];
  readonly defaultPrivileges: readonly DefaultPrivilege[];
  readonly rights: readonly Right[];
  /** Who owns the database itself. */
  readonly databaseOwner: string;
  /** The owner's search_path on this database, as it is set for the role or the database. */
  readonly searchPath: string;
}

type PreservedRow = Pick<Preserved, "schemas" | "extensions" | "databaseOwner" | "searchPath">;

/** Reads what outlives a restore of the client's database. */
export async function readPreserved(client: pg.Client, owner: string): Promise<Preserved> {
  const row = await oneRow<PreservedRow>(
    client,
    `SELECT (SELECT coalesce(jsonb_agg(jsonb_build_object('name', nspname, 'owner', pg_get_userbyid(nspowner))), '[]')
         FROM pg_namespace WHERE ${isUserSchema("nspname")}) AS schemas,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion, 'schema', nspname)), '[]')
         FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace) AS extensions,
       (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()) AS "databaseOwner",
       coalesce((SELECT substr(setting, 13)
         FROM pg_db_role_setting, unnest(setconfig) setting
         WHERE setting LIKE 'search_path=%'
           AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
           AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = $1))
         ORDER BY setrole = 0, setdatabase = 0 LIMIT 1), '"$user", public') AS "searchPath"`,
    [owner],
  );
  return {
    ...row,
    defaultPrivileges: await readDefaultPrivileges(client),
    rights: await readRights(client),
  };
}

/** PostgreSQL's own roles have no members: https://www.postgresql.org/docs/current/predefined-roles.html */
const isOrdinary = (role: string) => !role.startsWith("pg_");

/** The roles that a restore acts for: who owns the content, the database and its schemas, and whose default privileges are stated. */
export function actingRoles(preserved: Preserved, owner: string): string[] {
  const { schemas, defaultPrivileges, databaseOwner } = preserved;
  const others = [...schemas.map((schema) => schema.owner), ...defaultPrivileges.map(({ role }) => role)];
  return [...new Set([owner, databaseOwner, ...others])].filter(isOrdinary);
}

/** Statements that make the schemas that the dump or the target has; those of the dump belong to the owner. */
export function makeSchemas(preserved: Preserved, ofDump: readonly string[], owner: string): string[] {
  const own = preserved.schemas.filter(({ name }) => !ofDump.includes(name) && name !== "public");
  const all = [...ofDump.filter((name) => name !== "public").map((name) => ({ name, owner })), ...own];
  return all.map(
    ({ name, owner }) => `CREATE SCHEMA IF NOT EXISTS ${identifier(name)} AUTHORIZATION ${identifier(owner)}`,
  );
}

/** Statements that give the schema public, which each new database has, to whom it belongs in the target. */
async function givePublic(client: pg.Client, preserved: Preserved): Promise<string[]> {
  const wanted = preserved.schemas.find(({ name }) => name === "public");
  const found = await maybeRow<{ owner: string }>(
    client,
    "SELECT pg_catalog.pg_get_userbyid(nspowner) AS owner FROM pg_catalog.pg_namespace WHERE nspname = 'public'",
  );
  if (wanted === undefined || found?.owner === wanted.owner) return [];
  return [`ALTER SCHEMA public OWNER TO ${identifier(wanted.owner)}`];
}

/** Statements that make the target's extensions that the dump did not bring. */
export async function makeExtensions(client: pg.Client, preserved: Preserved): Promise<string[]> {
  const rows = await rowsOf<{ extname: string }>(client, "SELECT extname FROM pg_catalog.pg_extension");
  const present = new Set(rows.map(({ extname }) => extname));
  return preserved.extensions
    .filter(({ name }) => !present.has(name))
    .map(
      ({ name, schema, version }) =>
        `CREATE EXTENSION IF NOT EXISTS ${identifier(name)} SCHEMA ${identifier(schema)} VERSION ${literal(version)} CASCADE`,
    );
}

/** Statements that give the foreign servers that the admin made to the owner. */
export function giveServers(names: readonly string[], owner: string): string[] {
  return names.map((name) => `ALTER SERVER ${identifier(name)} OWNER TO ${identifier(owner)}`);
}

/** Tables and sequences that belong to extensions, as `schema.name`: only the admin may write to them. */
export async function extensionRelations(client: pg.Client): Promise<Set<string>> {
  const rows = await rowsOf<{ name: string }>(
    client,
    `SELECT n.nspname || '.' || c.relname AS name
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE ${isOfExtension("pg_class", "c.oid")}`,
  );
  return new Set(rows.map(({ name }) => name));
}

/**
 * Gives every object that the target had before the rights that it had there.
 * @param fresh the name of the client's database, and who owns its content
 * @returns a line for each right that the connected user may not state
 */
export async function applyPreservedRights(
  client: pg.Client,
  preserved: Preserved,
  fresh: { readonly name: string; readonly owner: string },
): Promise<string[]> {
  const notes = await tryEach(client, await givePublic(client, preserved));
  const present = await readRights(client);
  const sql = "SELECT pg_catalog.quote_ident($1) AS owner";
  const { owner } = await oneRow<{ owner: string }>(client, sql, [fresh.owner]);
  const statements = rightsDifference([...preserved.rights], present, owner, fresh.name);
  return [...notes, ...(await tryEach(client, statements))];
}
