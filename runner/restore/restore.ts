import type pg from "pg";
import { tableData } from "../dump/archive/read.ts";
import { reportProgress, tablesDone } from "../dump/progress.ts";
import { type ConnectionSettings, describe, withClient } from "../postgres/connection.ts";
import { oneRow } from "../postgres/rows.ts";
import { isSessionEnd } from "../postgres/session/end.ts";
import { UserError } from "../util/errors.ts";
import { RestoreClock, type RestoreContext } from "./context.ts";
import { failureText } from "./load/failures.ts";
import { loadDatabase, sanitize } from "./load/load-database.ts";
import { refuseReplaced } from "./preflight/dump-file.ts";
import { type Prepared, prepare } from "./preflight/prepare.ts";
import { forgetRestores, type RestoreRecord, recordedRestore, recordRestore } from "./record.ts";
import { type RestoreReport, reportOf } from "./report.ts";
import type { RestoreRequest, RunControl } from "./request.ts";
import { databaseProperties } from "./swap/database-properties.ts";
import {
  createFresh,
  dropDatabase,
  dropLeftovers,
  type FreshDatabase,
  giveFresh,
  type Maintenance,
  swap,
  withRestoreLock,
} from "./swap/fresh-database.ts";
import { withMemberships } from "./swap/memberships.ts";
import { actingRoles, applyPreservedRights, readPreserved } from "./swap/preserved.ts";
import { tryEach } from "./swap/try-each.ts";

/**
 * Replaces the content of a database by a dump. The dump goes into a new database beside the target, is checked
 * there, and takes the target's name in one transaction: whatever fails or is killed before leaves the target as it
 * was. The target's own settings, schemas, extensions, default privileges and rights stay.
 */
export async function restoreDump(request: RestoreRequest, control: RunControl): Promise<RestoreReport> {
  const clock = new RestoreClock(control.signal);
  const prepared = await clock.time("reading the dump", () => prepare(request, control));
  const work = { request, prepared, clock, ...control, notes: [] as string[] };
  const incomplete = await withRestoreLock(request.target, async (maintenance) => {
    const left = await dropLeftovers(maintenance, request.target.database);
    for (const name of left) control.output.log(`dropped database ${name}, left by an earlier restore`);
    return replace(work, maintenance);
  });
  return reportOf(work, incomplete);
}

/** What is known before there is a database to load. */
type Work = Omit<RestoreContext, "preserved" | "fresh" | "onTable">;

async function replace(work: Work, maintenance: Maintenance): Promise<string[]> {
  const { target, owner } = work.request;
  const preserved = await withClient(target, (client) => readPreserved(client, owner));
  const fresh = await createFresh(maintenance, target, actingRoles(preserved, owner)).catch((error) => {
    throw unchanged(target, error, "");
  });
  return withMemberships(maintenance, fresh.memberships, async () => {
    try {
      const begun: string[] = [];
      const context = { ...work, preserved, fresh, onTable: (name: string) => begun.push(name) };
      using _ = watch(context, maintenance, begun);
      return await loadAndSwap(context, maintenance);
    } catch (error) {
      const left = await giveUp(fresh, maintenance);
      throw unchanged(target, withMissing(error, work.prepared), left);
    }
  });
}

/** Drops the database that was being loaded. Gives a sentence for people where it stays. */
async function giveUp({ name }: FreshDatabase, maintenance: Maintenance): Promise<string> {
  return dropDatabase(maintenance, name).then(
    () => "",
    (reason: Error) =>
      ` The half-loaded database ${name} is left beside it (${reason.message}); the next restore drops it.`,
  );
}

function watch(context: RestoreContext, { client }: Maintenance, begun: readonly string[]): Disposable {
  const tables = tableData(context.prepared.dump.archive);
  const weights = Object.fromEntries(tables.map(({ schema, name, rows }) => [`${schema}.${name}`, rows]));
  return reportProgress(context.output, "restore", async () => ({
    ...tablesDone(begun, weights, context.request.jobs),
    total: tables.length,
    bytes: await sizeOf(client, context.fresh),
  }));
}

async function sizeOf(client: pg.Client, { name }: FreshDatabase): Promise<number> {
  const sql = "SELECT pg_catalog.pg_database_size($1)::float8 AS bytes";
  return (await oneRow<{ bytes: number }>(client, sql, [name])).bytes;
}

async function loadAndSwap(context: RestoreContext, maintenance: Maintenance): Promise<string[]> {
  const { request, prepared, clock } = context;
  await giveFresh(maintenance, context.fresh, request.owner);
  const failures = await loadDatabase(context).finally(() => refuseReplaced(request.path, prepared.identity));
  const incomplete = failures.map(failureText);
  await clock.time("sanitize, rights and swap", () => finish(context, maintenance, incomplete));
  return incomplete;
}

async function finish(
  context: RestoreContext,
  maintenance: Maintenance,
  incomplete: string[],
): Promise<void> {
  const { request, prepared, fresh, notes, signal } = context;
  const { database } = request.target;
  if (prepared.script !== undefined) await sanitize(context, prepared.script);
  const record = await recordFor(request, reportOf(context, incomplete));
  await withClient(fresh.admin, async (client) => {
    await (record ? recordRestore(client, record, request.owner) : forgetRestores(client));
    const names = { name: fresh.name, owner: request.owner };
    notes.push(...(await applyPreservedRights(client, context.preserved, names)));
  });
  const properties = await databaseProperties(maintenance, database, fresh.name);
  notes.push(...(await tryEach(maintenance.client, properties.statements)));
  signal.throwIfAborted();
  await swap(maintenance, { target: database, fresh, comment: properties.comment });
}

/** A restore by hand leaves standing what the target says of its stack's own: the stack then does not restore again. */
async function recordFor(
  { record, path, target }: RestoreRequest,
  report: RestoreReport,
): Promise<RestoreRecord<unknown> | undefined> {
  if (record) return { path, sha256: report.sha256, report };
  return withClient(target, (client) => recordedRestore(client));
}

/** A dump of some tables may lack what they need, and its report says so. */
function withMissing(error: unknown, { dump }: Prepared): unknown {
  const missing = dump.report?.missing ?? [];
  if (!(error instanceof UserError) || missing.length === 0) return error;
  const names = missing.map((name) => `\n  ${name}`).join("");
  return new UserError(
    `${error.message}\nThe dump holds some tables only, and lacks what they need:${names}`,
    {
      cause: error,
      exitCode: error.exitCode,
    },
  );
}

function unchanged(target: ConnectionSettings, error: unknown, left: string): unknown {
  const { code, message } = error as { code?: unknown; message: string };
  if (!(error instanceof UserError) && typeof code !== "string" && !isSessionEnd(error)) return error;
  return new UserError(
    `${message}\nThe restore was given up: ${describe(target)} is as it was before.${left}`,
    { cause: error, ...(error instanceof UserError ? { exitCode: error.exitCode } : {}) },
  );
}
