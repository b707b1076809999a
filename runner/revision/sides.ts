import type { FactBase } from "@supabase/pg-delta/core";
import type pg from "pg";
import { type Catalog, readCatalog } from "./catalog.ts";
import { type DumpedSchema, dumpSchema } from "./dump.ts";
import { emptySchema } from "./empty-schema.ts";
import { managedView, withGrantsOf } from "./managed-view.ts";
import { loadModels, type SqlSource } from "./models.ts";
import type { Renames } from "./renames.ts";
import { copySchema, createRoles, type ScratchDatabase, withScratchDatabases } from "./scratch-database.ts";
import type { Scratch } from "./scratch-server.ts";

/** What is compared: a start and the models, each as facts and as a scratch database that has that schema. */
export interface Sides {
  readonly start: FactBase;
  /** The start after the renames that were asked for; without any, the start. */
  readonly renamed: FactBase;
  readonly renames: Renames;
  readonly startDatabase: ScratchDatabase;
  readonly dumps: { readonly start: DumpedSchema; readonly models: DumpedSchema };
  readonly models: FactBase;
  readonly modelsDatabase: ScratchDatabase;
  /** Roles of the start's server. */
  readonly roles: readonly string[];
  /** Words that need quotes as a name. */
  readonly keywords: ReadonlySet<string>;
}

/** Where a revision starts: a live database's catalog, or what fills an empty scratch database (migrations). */
export type Origin =
  | { readonly live: Promise<Catalog> }
  | { readonly fill: (database: ScratchDatabase) => Promise<void> };

/** What both sides are built on. */
export interface Ground extends Scratch {
  readonly ignore: readonly string[];
}

async function copyOf(
  live: Promise<Catalog>,
  { server }: Ground,
  { client }: ScratchDatabase,
): Promise<Catalog> {
  const empty = await emptySchema(server, client);
  const catalog = await live;
  if (server.private) await createRoles(client, catalog.roles);
  await copySchema(server, client, empty, managedView(catalog.facts, []), catalog);
  return catalog;
}

async function startFrom(
  origin: Origin,
  ground: Ground,
  database: ScratchDatabase,
): Promise<[Catalog, DumpedSchema]> {
  const { programs, ignore } = ground;
  const dump = () => dumpSchema(programs, database.settings, ignore);
  if ("live" in origin) return [await copyOf(origin.live, ground, database), await dump()];
  await origin.fill(database);
  return Promise.all([readCatalog(database.client), dump()]);
}

async function modelsFrom(
  sources: readonly SqlSource[],
  { server, programs, ignore }: Ground,
  { client, settings }: ScratchDatabase,
): Promise<[Catalog, DumpedSchema]> {
  await loadModels(server, client, sources);
  return Promise.all([readCatalog(client), dumpSchema(programs, settings, ignore)]);
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
  ground: Ground,
  origin: Origin,
  sources: readonly SqlSource[],
  use: (sides: Sides) => Promise<T>,
): Promise<T> {
  return withScratchDatabases(ground.server, async (startDatabase, modelsDatabase) => {
    const keywords = await keywordsOf(modelsDatabase.client);
    const [[catalog, startDump], [models, modelsDump]] = await Promise.all([
      startFrom(origin, ground, startDatabase),
      modelsFrom(sources, ground, modelsDatabase),
    ]);
    const start = managedView(catalog.facts, ground.ignore);
    return use({
      start,
      renamed: start,
      renames: { up: [], down: [] },
      models: withGrantsOf(managedView(models.facts, ground.ignore), start),
      startDatabase,
      modelsDatabase,
      dumps: { start: startDump, models: modelsDump },
      roles: rolesOf(catalog, models),
      keywords,
    });
  });
}
