import type { FactBase } from "@supabase/pg-delta/core";
import type pg from "pg";
import { type Catalog, readCatalog } from "./catalog.ts";
import { managedView, withGrantsOf } from "./managed-view.ts";
import { loadModels, type SqlSource } from "./models.ts";
import type { Renames } from "./renames.ts";
import { copySchema, createRoles, type ScratchDatabase, withScratchDatabases } from "./scratch-database.ts";
import type { ScratchServer } from "./scratch-server.ts";

/** What is compared: a start and the models, each as facts and as a scratch database that has that schema. */
export interface Sides {
  readonly start: FactBase;
  /** The start after the renames that were asked for; without any, the start. */
  readonly renamed: FactBase;
  readonly renames: Renames;
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

async function startFrom(
  server: ScratchServer,
  database: ScratchDatabase,
  origin: Origin,
  ignore: readonly string[],
) {
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
  return { start, catalog };
}

async function modelsOf(
  server: ScratchServer,
  { client }: ScratchDatabase,
  sources: readonly SqlSource[],
): Promise<Catalog> {
  await loadModels(server, client, sources);
  return readCatalog(client);
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

/** Builds and reads both sides, and lends them. */
export async function withSides<T>(
  server: ScratchServer,
  origin: Origin,
  sources: readonly SqlSource[],
  ignore: readonly string[],
  use: (sides: Sides) => Promise<T>,
): Promise<T> {
  return withScratchDatabases(server, async (startDatabase, modelsDatabase) => {
    const [{ start, catalog }, models, keywords] = await Promise.all([
      startFrom(server, startDatabase, origin, ignore),
      modelsOf(server, modelsDatabase, sources),
      keywordsOf(modelsDatabase.client),
    ]);
    return use({
      start,
      renamed: start,
      renames: { up: [], down: [] },
      startDatabase,
      models: withGrantsOf(managedView(models.facts, ignore), start),
      modelsDatabase,
      roles: rolesOf(catalog, models),
      keywords,
    });
  });
}
