import type { FactBase } from "@supabase/pg-delta/core";
import type pg from "pg";
import { type Catalog, readCatalog } from "./catalog.ts";
import { managedView, withGrantsOf } from "./managed-view.ts";
import { loadModels, type SqlSource } from "./models.ts";
import { copySchema, createRoles, openScratchDatabase, type ScratchDatabase } from "./scratch-database.ts";
import type { ScratchServer } from "./scratch-server.ts";

/** What is compared: a start and the models, each as facts and as a scratch database that has that schema. */
export interface Sides {
  readonly start: FactBase;
  readonly startDatabase: ScratchDatabase;
  readonly models: FactBase;
  readonly modelsDatabase: ScratchDatabase;
  /** Roles of the start's server. */
  readonly roles: readonly string[];
  /** Words that need quotes as a name. */
  readonly keywords: ReadonlySet<string>;
}

/** Where a revision starts: a live database, or what fills an empty scratch database (migrations). */
export type Origin =
  | { readonly live: pg.Client }
  | { readonly fill: (database: ScratchDatabase) => Promise<void> };

async function startFrom(server: ScratchServer, origin: Origin, ignore: readonly string[]) {
  const database = await openScratchDatabase(server);
  const [catalog, empty] =
    "live" in origin
      ? await Promise.all([readCatalog(origin.live), readCatalog(database.client)])
      : [await origin.fill(database).then(() => readCatalog(database.client)), undefined];
  const start = managedView(catalog.facts, ignore);
  if (empty !== undefined) {
    if (server.private) await createRoles(database.client, catalog.roles);
    await copySchema(
      server,
      database.client,
      managedView(empty.facts, []),
      managedView(catalog.facts, []),
      catalog,
    );
  }
  return { start, database, catalog };
}

async function modelsOf(server: ScratchServer, sources: readonly SqlSource[]) {
  const database = await openScratchDatabase(server);
  await loadModels(server, database.client, sources);
  return { database, catalog: await readCatalog(database.client) };
}

async function keywordsOf(client: pg.Client): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ word: string }>(
    "SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'",
  );
  return new Set(rows.map(({ word }) => word));
}

function rolesOf(...catalogs: readonly Catalog[]): string[] {
  return [...new Set(catalogs.flatMap(({ roles }) => roles))];
}

/** Builds and reads both sides. */
export async function readSides(
  server: ScratchServer,
  origin: Origin,
  sources: readonly SqlSource[],
  ignore: readonly string[],
): Promise<Sides> {
  const [start, models] = await Promise.all([startFrom(server, origin, ignore), modelsOf(server, sources)]);
  return {
    start: start.start,
    startDatabase: start.database,
    models: withGrantsOf(managedView(models.catalog.facts, ignore), start.start),
    modelsDatabase: models.database,
    roles: rolesOf(start.catalog, models.catalog),
    keywords: await keywordsOf(models.database.client),
  };
}
