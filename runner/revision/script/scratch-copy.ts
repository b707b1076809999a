import type { FactBase } from "@supabase/pg-delta/core";
import type pg from "pg";
import { type ConnectionSettings, openClient } from "../../postgres/connection.ts";
import { runOnScratch } from "../../scratch/run.ts";
import type { ScratchServer } from "../../scratch/server.ts";
import type { Catalog } from "../catalog/read.ts";
import { creationOf } from "../plan/plan.ts";
import { ownerStatements } from "../plan/statements/owners.ts";
import type { Script } from "./render.ts";
import { type Segment, segmentsOf } from "./segments.ts";

/** An open connection to a database of the scratch server. */
export interface ScratchDatabase {
  readonly settings: ConnectionSettings;
  readonly client: pg.Client;
}

async function openDatabase(server: ScratchServer): Promise<ScratchDatabase> {
  const settings = await server.database();
  try {
    return { settings, client: await openClient(settings) };
  } catch (error) {
    await server.drop(settings);
    throw error;
  }
}

async function closeDatabase(server: ScratchServer, { settings, client }: ScratchDatabase): Promise<void> {
  await client.end().catch(() => {});
  await server.drop(settings);
}

/** Lends two empty databases, each with an open connection, and drops them afterwards. */
export async function withScratchDatabases<T>(
  server: ScratchServer,
  use: (one: ScratchDatabase, other: ScratchDatabase) => Promise<T>,
): Promise<T> {
  const opening = [openDatabase(server), openDatabase(server)] as const;
  try {
    return await use(...(await Promise.all(opening)));
  } finally {
    const opened = await Promise.allSettled(opening);
    await Promise.all(
      opened.map(async (one) => (one.status === "fulfilled" ? closeDatabase(server, one.value) : undefined)),
    );
  }
}

/** Statements of one transaction: the more objects one has made, the longer it takes to make the next. */
const batchSize = 200;

/** What makes a segment, as one message of several transactions: to wait for each would cost more than to run it. */
function messageOf({ actions, transactional }: Segment): string {
  const statements = actions.map(({ sql }) => sql.replace(/;?\s*$/, ";"));
  if (!transactional) return statements.join("\n");
  return Array.from({ length: Math.ceil(statements.length / batchSize) }, (_, index) => {
    const batch = statements.slice(index * batchSize, (index + 1) * batchSize);
    return ["BEGIN;", ...batch, "COMMIT;"].join("\n");
  }).join("\n");
}

/**
 * Builds a schema in an empty database from what was read of another's catalog. A dump would not do: pg_dump's
 * own output need not load again.
 *
 * @param catalog with the owners that the objects get; none where the server may lack the roles
 */
export async function copySchema(
  client: pg.Client,
  empty: FactBase,
  schema: FactBase,
  { roles, searchPath, owners }: Pick<Catalog, "roles" | "searchPath" | "owners">,
): Promise<void> {
  await client.query("SELECT set_config('search_path', $1, false)", [searchPath]);
  await client.query("SET check_function_bodies = off");
  for (const segment of segmentsOf(creationOf(schema, empty, roles))) await client.query(messageOf(segment));
  const given = ownerStatements(schema, owners);
  if (given.length > 0) await client.query(given.join(";\n"));
  await client.query("RESET check_function_bodies");
}

/** Runs a script on a scratch database as a migration runs: in one transaction, or each statement in its own. */
export async function runScript(
  server: ScratchServer,
  { client }: ScratchDatabase,
  script: Script,
): Promise<void> {
  if (!script.transactional) {
    for (const paragraph of script.paragraphs) await runOnScratch(server, client, paragraph);
    return;
  }
  await runOnScratch(server, client, `BEGIN;\n${script.paragraphs.join("\n\n")}\nCOMMIT`);
}
