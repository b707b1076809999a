import { type ConnectionSettings, connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { rowsOf } from "../../runner/postgres/rows.ts";
import { identifier } from "../../runner/postgres/sql.ts";

/** What one stack is told to have, and what was written into its database. */
export interface StackModel {
  readonly name: string;
  /** The stack's own folder of migrations, relative to the project. */
  readonly directory: string;
  /** Tables of the migrations, oldest first; each migration creates one. */
  tables: string[];
  /** How many of the migrations `migrations.to` keeps; undefined for all of them. */
  kept: number | undefined;
  /** Declared roles besides the owner. */
  roles: {
    name: string;
    access: "readonly" | "readwrite";
    connectionLimit: number;
    passwordVersion: number;
  }[];
  /** Roles that were there before the stack was. */
  adopted: readonly string[];
  /** Passwords that the configuration gives, by role; others are generated. */
  passwords: Readonly<Record<string, string>>;
  /** Ids that were written and acknowledged, by table. */
  readonly rows: Map<string, Set<number>>;
}

/** Tables that the stack's migrations should have made. */
export const expectedTables = ({ tables, kept }: StackModel) => tables.slice(0, kept ?? tables.length);

/** Forgets the rows of tables that a named step has dropped. */
export function forgetDropped(model: StackModel): void {
  const there = new Set(expectedTables(model));
  for (const table of model.rows.keys()) if (!there.has(table)) model.rows.delete(table);
}

/** Writes some rows as the owner, each acknowledged before it counts. */
export async function writeRows(model: StackModel, owner: ConnectionSettings, count: number): Promise<void> {
  await withClient(owner, async (client) => {
    for (const table of expectedTables(model))
      for (let n = 0; n < count; n++) {
        const [row] = await rowsOf<{ id: number }>(
          client,
          `INSERT INTO public.${identifier(table)} (note) VALUES ('chaos') RETURNING id`,
        );
        const ids = model.rows.get(table) ?? new Set();
        model.rows.set(table, ids.add((row as { id: number }).id));
      }
  });
}

async function missingRows(model: StackModel, owner: ConnectionSettings): Promise<string[]> {
  return withClient(owner, async (client) => {
    const faults: string[] = [];
    for (const [table, ids] of model.rows) {
      const found = await rowsOf<{ id: number }>(client, `SELECT id FROM public.${identifier(table)}`).catch(
        (error: Error) => {
          faults.push(`${model.name}: table ${table} cannot be read: ${error.message}`);
          return undefined;
        },
      );
      if (found === undefined) continue;
      const there = new Set(found.map(({ id }) => id));
      const lost = [...ids].filter((id) => !there.has(id));
      if (lost.length > 0) faults.push(`${model.name}: ${lost.length} rows of ${table} are gone`);
    }
    return faults;
  });
}

async function loginFault(
  role: string,
  url: string | undefined,
  table: string | undefined,
): Promise<string[]> {
  if (url === undefined) return [`role ${role} has no URL`];
  const sql = table === undefined ? "SELECT 1" : `SELECT count(*) FROM public.${identifier(table)}`;
  try {
    await withClient(connectionFromUrl(url, {}), (client) => client.query(sql));
    return [];
  } catch (error) {
    return [`role ${role} cannot log in and read: ${(error as Error).message}`];
  }
}

/** What is wrong with a stack's database: rows that nobody dropped and are gone, and declared roles that cannot log in and read. */
export async function faultsOf(model: StackModel, urls: Readonly<Record<string, string>>): Promise<string[]> {
  const owner = urls[`${model.name}_owner`];
  if (owner === undefined) return [`${model.name}: the owner has no URL`];
  const [table] = expectedTables(model);
  const logins = await Promise.all(model.roles.map(({ name }) => loginFault(name, urls[name], table)));
  return [...(await missingRows(model, connectionFromUrl(owner, {}))), ...logins.flat()];
}
