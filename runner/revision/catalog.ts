import type { FactBase } from "@supabase/pg-delta/core";
import { extract } from "@supabase/pg-delta/extract";
import type pg from "pg";
import { canonical } from "./canonical.ts";
import { extrasHandler } from "./extras/extras.ts";

/** Everything of a database that a schema is made of, read from its catalog. */
export interface Catalog {
  readonly facts: FactBase;
  /** Major version of the server. */
  readonly major: number;
  /** The path on which unqualified names in function bodies are found, in the form of the setting `search_path`. */
  readonly searchPath: string;
  /** Roles of the server, the built-in ones left out. */
  readonly roles: readonly string[];
}

/** pg-delta's reader takes a pool and uses one connection of it: here it gets the one that is open already. */
function poolOf(ask: (text: string) => Promise<unknown>): Parameters<typeof extract>[0] {
  const connection = { query: ask, release: () => {} };
  return { connect: async () => connection } as unknown as Parameters<typeof extract>[0];
}

/** The reader's one query for dependencies. */
const dependencies = /^\s*WITH dep AS/;

/**
 * The reader resolves the dependencies of all built-in objects too and then throws them away. Objects made after
 * initdb have numbers from 16384 on (FirstNormalObjectId in access/transam.h), so this halves its time.
 */
function narrowed(text: string): string {
  return text.replace("d.deptype IN ('n', 'a')", "d.deptype IN ('n', 'a') AND d.objid >= 16384");
}

/**
 * Asks for dependencies by hash joins: the planner of a catalog that was never analysed takes a large one for small,
 * and nested loops grow with the square of the number of tables.
 */
async function askForDependencies(client: pg.Client, text: string): Promise<pg.QueryResult> {
  await client.query("SET LOCAL enable_nestloop = off; SET LOCAL enable_hashjoin = on");
  const result = await client.query(narrowed(text));
  await client.query("SET LOCAL enable_nestloop = on");
  return result;
}

/** Compiling queries takes longer than they do. */
const withoutJit = "SET jit = off";

/** The objects alone, to compare two schemas that only have to be the same; without dependencies nothing can be planned. */
export async function readFacts(client: pg.Client): Promise<FactBase> {
  const none = { rows: [] };
  const ask = async (text: string) => (dependencies.test(text) ? none : client.query(text));
  const { factBase } = await extract(poolOf(ask), { handlers: [extrasHandler], redactSecrets: false });
  return canonical(factBase);
}

/**
 * Reads a database's catalog in one read-only transaction. Needs no right but to connect.
 * @param client a connection that nothing else uses meanwhile; its `search_path` is the one recorded
 */
export async function readCatalog(client: pg.Client): Promise<Catalog> {
  await client.query(withoutJit);
  const {
    rows: [about],
  } = await client.query<{ version: string; path: string; roles: string[] }>(
    `SELECT current_setting('server_version_num') AS version, current_setting('search_path') AS path,
            (SELECT coalesce(array_agg(rolname::text), '{}') FROM pg_roles WHERE rolname !~ '^pg_') AS roles`,
  );
  const ask = (text: string) =>
    dependencies.test(text) ? askForDependencies(client, text) : client.query(text);
  // the kinds with passwords (user mappings, subscriptions) are left out of a revision, so nothing needs to be hidden
  const { factBase } = await extract(poolOf(ask), { handlers: [extrasHandler], redactSecrets: false });
  return {
    facts: canonical(factBase),
    major: Math.floor(Number(about?.version) / 10_000),
    searchPath: about?.path ?? "",
    roles: about?.roles ?? [],
  };
}
