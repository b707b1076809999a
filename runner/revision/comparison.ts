import type { FactBase } from "@supabase/pg-delta/core";
import type pg from "pg";
import { defaultSettings } from "../config/migrations.ts";
import { readMigrations } from "../migrations/files/directory.ts";
import { applyMigrations } from "../migrations/run/apply.ts";
import { rowsOf } from "../postgres/rows.ts";
import { identifier } from "../postgres/sql.ts";
import { createRoles } from "../scratch/run.ts";
import { type DumpedSchema, dumpWritten, withoutIgnored } from "../scratch/schema-dump.ts";
import type { Scratch, ScratchServer } from "../scratch/server.ts";
import { meanwhile } from "../util/background.ts";
import { ExitCode, UserError } from "../util/errors.ts";
import type { ColumnOrder } from "./catalog/column-order.ts";
import { emptySchema } from "./catalog/empty-schema.ts";
import { defaultPrivilegesIn, otherHistories } from "./catalog/left-alone.ts";
import { managedView, withGrantsOf } from "./catalog/managed-view.ts";
import { type Catalog, readCatalog } from "./catalog/read.ts";
import { type Revoked, revokedIn, revokedNotes, withoutRevoked } from "./catalog/revoked.ts";
import { type UnreadObject, unreadDifferences } from "./catalog/unsupported.ts";
import { loadModels, type SqlSource } from "./models.ts";
import type { InPlace } from "./renames/statements.ts";
import { copySchema, type ScratchDatabase, withScratchDatabases } from "./script/scratch-copy.ts";

/** What pg_dump shows of both sides. */
export interface Dumps {
  readonly start: DumpedSchema;
  readonly models: DumpedSchema;
}

/** What is compared: a start and the models, each as facts and as a scratch database that has that schema. */
export interface Sides {
  readonly start: FactBase;
  /** The start after what is done in place; without anything of that, the start. */
  readonly renamed: FactBase;
  readonly renames: InPlace;
  readonly startDatabase: ScratchDatabase;
  /** Both as pg_dump shows them, which takes a while: nobody may change the databases before. */
  readonly dumps: Promise<Dumps>;
  readonly models: FactBase;
  readonly modelsDatabase: ScratchDatabase;
  /** Roles of the start's server. */
  readonly roles: readonly string[];
  /** A line for each difference that no migration can take away. */
  readonly unwritten: readonly string[];
  /** What a person should know besides: what is left alone, and what the models say in vain. */
  readonly notes: readonly string[];
  /** What the models revoke from roles. */
  readonly revoked: readonly Revoked[];
  /** Patterns of what is left out: those that were given, and other tools' tables. */
  readonly ignore: readonly string[];
  /** Words that need quotes as a name. */
  readonly keywords: ReadonlySet<string>;
  /** The order of columns on both sides, as it was read. */
  /** The owners of the start's objects, where they are others than the role that read them. */
  readonly owners: ReadonlyMap<string, string>;
  readonly columnOrder: { readonly start: ColumnOrder; readonly models: ColumnOrder };
}

/** What both sides are built on. */
export interface Ground extends Scratch {
  readonly ignore: readonly string[];
}

async function both(
  start: Promise<DumpedSchema>,
  models: Promise<DumpedSchema>,
  ignore: readonly string[],
): Promise<Dumps> {
  return { start: withoutIgnored(await start, ignore), models: withoutIgnored(await models, ignore) };
}

/** A start as it was read: whole, what is ignored included. */
interface Start {
  readonly facts: FactBase;
  readonly roles: readonly string[];
  readonly unread: readonly UnreadObject[];
  readonly columnOrder: ColumnOrder;
  readonly owners: ReadonlyMap<string, string>;
  readonly dump: Promise<DumpedSchema>;
}

/** What a revision does not read may be what the rest stands on. */
function refuseCopy(unread: readonly UnreadObject[], cause: unknown): never {
  if (unread.length === 0) throw cause;
  const names = unread.map(({ name }) => `\n  ${name}`).join("");
  const reason = `without what no revision carries, the database's schema cannot be built: ${(cause as Error).message}`;
  throw new UserError(`This revision cannot be written: ${reason}${names}`, {
    exitCode: ExitCode.differs,
    cause,
  });
}

async function copyOf(
  live: Promise<Catalog>,
  ground: Ground,
  { client, settings }: ScratchDatabase,
): Promise<Start> {
  const { server } = ground;
  const empty = await emptySchema(server, client);
  const catalog = await live;
  const { roles, unread, columnOrder, owners } = catalog;
  const facts = managedView(catalog.facts, []);
  if (server.private) await createRoles(client, roles);
  const copied = server.private ? catalog : { ...catalog, owners: new Map<string, string>() };
  await copySchema(client, empty, facts, copied).catch((error) => refuseCopy(unread, error));
  return { facts, roles, unread, columnOrder, owners, dump: meanwhile(dumpWritten(ground, settings)) };
}

async function startFrom(origin: Origin, ground: Ground, database: ScratchDatabase): Promise<Start> {
  if ("live" in origin) return copyOf(origin.live, ground, database);
  await origin.fill(database, ground.server);
  const dump = meanwhile(dumpWritten(ground, database.settings));
  const { facts, roles, unread, columnOrder, owners } = await readCatalog(database.client);
  return { facts: managedView(facts, []), roles, unread, columnOrder, owners, dump };
}

/** What a revision leads to: SQL, or the schema that a live database has. */
export type Models = readonly SqlSource[] | Extract<Origin, { readonly live: unknown }>;

async function modelsFrom(
  models: Models,
  ground: Ground,
  database: ScratchDatabase,
): Promise<[Omit<Start, "dump" | "owners">, Promise<DumpedSchema>]> {
  if ("live" in models) {
    const copy = await copyOf(models.live, ground, database);
    return [copy, copy.dump];
  }
  await loadModels(ground.server, database.client, models);
  const dump = meanwhile(dumpWritten(ground, database.settings));
  return [await readCatalog(database.client), dump];
}

async function keywordsOf(client: pg.Client): Promise<ReadonlySet<string>> {
  const rows = await rowsOf<{ word: string }>(
    client,
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
  desired: Models,
  use: (sides: Sides) => Promise<T>,
): Promise<T> {
  return withScratchDatabases(ground.server, async (startDatabase, modelsDatabase) => {
    const keywords = await keywordsOf(modelsDatabase.client);
    const [whole, [models, modelsDump]] = await Promise.all([
      startFrom(origin, ground, startDatabase),
      modelsFrom(desired, ground, modelsDatabase),
    ]);
    const revoked = "live" in desired ? [] : await revokedIn(desired);
    const alone = otherHistories(whole.facts, models.facts);
    const ignore = [...ground.ignore, ...alone.patterns];
    const start = ignore.length === 0 ? whole.facts : managedView(whole.facts, ignore);
    return use({
      start,
      renamed: start,
      renames: { up: [], down: [] },
      models: withGrantsOf(managedView(models.facts, ignore), start, (grant) =>
        withoutRevoked(grant, revoked),
      ),
      startDatabase,
      modelsDatabase,
      dumps: meanwhile(both(whole.dump, modelsDump, alone.patterns)),
      roles: rolesOf(whole, models),
      unwritten: unreadDifferences(whole.unread, models.unread, ignore),
      notes: [...alone.notes, ...revokedNotes(start.facts(), revoked), ...defaultPrivilegesIn(models.facts)],
      ignore,
      revoked,
      keywords,
      owners: whole.owners,
      columnOrder: { start: whole.columnOrder, models: models.columnOrder },
    });
  });
}

/** Where a revision starts: a live database's catalog, or what fills an empty scratch database (migrations). */
export type Origin =
  | { readonly live: Promise<Catalog> }
  | { readonly fill: (database: ScratchDatabase, server: ScratchServer) => Promise<void> };

/** Nobody needs the live database once it is read: the proof runs elsewhere. */
async function readAndLeave(live: pg.Client): Promise<Catalog> {
  try {
    return await readCatalog(live);
  } finally {
    live.end().catch(() => {});
  }
}

/** The start of a revision: a live database, which is read from now on and then left, or what the migrations of a folder build. */
export function originOf(live: pg.Client | undefined, directory: string): Origin {
  if (live === undefined)
    return { fill: async (...scratch) => (await import("./comparison.ts")).fillFrom(directory, ...scratch) };
  return { live: meanwhile(readAndLeave(live)) };
}

async function nameDatabase(server: ScratchServer, client: pg.Client, name: string): Promise<void> {
  const { database } = await server.database();
  await client.query(`ALTER DATABASE ${identifier(database)} RENAME TO ${identifier(name)}`);
}

const missing = /(role|database) "(.*)" does not exist/;

/**
 * Runs the migrations of a folder on an empty scratch database. What they take as given is made on the way: roles, and on a server of
 * ours an empty database under the real one's name, which migrations may use (ALTER DATABASE … SET, GRANT ON DATABASE).
 */
export async function fillFrom(
  directory: string,
  { settings, client }: ScratchDatabase,
  server: ScratchServer,
): Promise<void> {
  const files = await readMigrations(directory, directory);
  const kept = () => new Set(files.map(({ name }) => name));
  const request = {
    access: { owner: settings },
    files,
    kept,
    leaving: new Set<string>(),
    settings: defaultSettings,
  };
  for (let before = ""; ; ) {
    try {
      await applyMigrations({ ...request, log: () => {} });
      return;
    } catch (error) {
      const [lacking, kind, name = ""] = (error as Error).message.match(missing) ?? [];
      if (lacking === undefined || lacking === before || (kind === "database" && !server.private))
        throw error;
      before = lacking;
      if (kind === "role") await createRoles(client, [name]);
      else await nameDatabase(server, client, name);
    }
  }
}
