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

/** A start as it was read: whole, what is ignored included. */
interface Start {
  readonly facts: FactBase;
  readonly roles: readonly string[];
  readonly dump: DumpedSchema;
}

async function copyOf(
  live: Promise<Catalog>,
  { server, programs, ignore }: Ground,
  { client, settings }: ScratchDatabase,
): Promise<Start> {
  const empty = await emptySchema(server, client);
  const { roles, searchPath, ...catalog } = await live;
  const facts = managedView(catalog.facts, []);
  if (server.private) await createRoles(client, roles);
  await copySchema(server, client, empty, facts, { roles, searchPath });
  return { facts, roles, dump: await dumpSchema(programs, settings, ignore) };
}

async function startFrom(origin: Origin, ground: Ground, database: ScratchDatabase): Promise<Start> {
  if ("live" in origin) return copyOf(origin.live, ground, database);
  await origin.fill(database);
  const [{ facts, roles }, dump] = await Promise.all([
    readCatalog(database.client),
    dumpSchema(ground.programs, database.settings, ground.ignore),
  ]);
  return { facts: managedView(facts, []), roles, dump };
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

function rolesOf(...catalogs: readonly Pick<Catalog, "roles">[]): string[] {
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
    const [whole, [models, modelsDump]] = await Promise.all([
      startFrom(origin, ground, startDatabase),
      modelsFrom(sources, ground, modelsDatabase),
    ]);
    const start = ground.ignore.length === 0 ? whole.facts : managedView(whole.facts, ground.ignore);
    return use({
      start,
      renamed: start,
      renames: { up: [], down: [] },
      models: withGrantsOf(managedView(models.facts, ground.ignore), start),
      startDatabase,
      modelsDatabase,
      dumps: { start: whole.dump, models: modelsDump },
      roles: rolesOf(whole, models),
      keywords,
    });
  });
}
