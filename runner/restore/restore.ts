import { tableData } from "../dump/archive/read.ts";
import { type Output, reportProgress } from "../dump/progress.ts";
import { type ConnectionSettings, describe, withClient } from "../postgres/connection.ts";
import { isSessionEnd } from "../postgres/session/end.ts";
import { UserError } from "../util/errors.ts";
import type { Filling } from "./load/context.ts";
import { failureText } from "./load/failures.ts";
import { applyRights, fill, sanitize } from "./load/fill-database.ts";
import { missingTablespaces } from "./preflight/checks.ts";
import { refuseReplaced } from "./preflight/dump-file.ts";
import { prepare } from "./preflight/prepare.ts";
import { forgetRestores, type RestoreRecord, recordedRestore, recordRestore } from "./record.ts";
import { type RestoreReport, reportOf, type Work } from "./report.ts";
import type { RestoreRequest } from "./request.ts";
import { databaseProperties } from "./swap/database-properties.ts";
import {
  createFresh,
  dropDatabase,
  dropLeftovers,
  type FreshDatabase,
  type Maintenance,
  swap,
  withRestoreLock,
} from "./swap/fresh-database.ts";
import { readFrame } from "./swap/preserved.ts";

/**
 * Replaces the content of a database by a dump. The dump goes into a new database beside the target, is checked
 * there, and takes the target's name in one transaction: whatever fails or is killed before leaves the target as it
 * was. The target's own settings, schemas, extensions, default privileges and rights stay.
 */
export async function restoreDump(
  request: RestoreRequest,
  output: Output,
  signal: AbortSignal,
): Promise<RestoreReport> {
  const clock = { began: Date.now(), parts: {} as Record<string, number> };
  const timed: Filling["timed"] = async (part, work) => {
    signal.throwIfAborted();
    const start = Date.now();
    const result = await work();
    clock.parts[part] = (Date.now() - start) / 1000;
    return result;
  };
  const ready = await timed("reading the dump", () => prepare(request, output, signal));
  const prepared = { ...ready, clock };
  const incomplete = await withRestoreLock(request.target, async (maintenance) => {
    const left = await dropLeftovers(maintenance, request.target.database);
    for (const name of left) output.log(`dropped database ${name}, left by an earlier restore`);
    return replace(request, prepared, maintenance, timed, output, signal);
  });
  return reportOf(request, prepared, incomplete);
}

async function replace(
  request: RestoreRequest,
  prepared: Work,
  maintenance: Maintenance,
  timed: Filling["timed"],
  output: Output,
  signal: AbortSignal,
): Promise<string[]> {
  const { target, owner } = request;
  const fresh = await createFresh(maintenance, target, owner).catch((error) => {
    throw unchanged(target, error, "");
  });
  try {
    const frame = await withClient(target, (client) => readFrame(client, owner));
    let begun = 0;
    const filling: Filling = {
      ...{ fresh, frame, owner, signal, timed, jobs: request.jobs, path: request.path },
      plan: prepared.plan,
      programs: prepared.programs,
      encoding: prepared.dump.archive.encoding,
      tablespaces: missingTablespaces(prepared.facts, prepared.dump.archive).length === 0,
      onTable: () => begun++,
    };
    const total = tableData(prepared.dump.archive).length;
    using _ = reportProgress(output, "restore", async () => ({
      done: Math.min(total, Math.max(0, begun - request.jobs)),
      total,
      bytes: await sizeOf(maintenance, fresh),
    }));
    const failures = await fill(filling).finally(() => refuseReplaced(request.path, prepared.identity));
    const incomplete = failures.map(failureText);
    await timed("sanitize, rights and swap", () =>
      finish(request, prepared, maintenance, filling, incomplete),
    );
    return incomplete;
  } catch (error) {
    const left = await dropDatabase(maintenance, fresh.name).then(
      () => "",
      (reason: Error) =>
        ` The half-filled database ${fresh.name} is left beside it (${reason.message}); the next restore drops it.`,
    );
    throw unchanged(target, error, left);
  }
}

async function sizeOf({ client }: Maintenance, { name }: FreshDatabase): Promise<number> {
  const { rows } = await client.query("SELECT pg_database_size($1)::float8 AS bytes", [name]);
  return rows[0].bytes;
}

async function finish(
  request: RestoreRequest,
  prepared: Work,
  maintenance: Maintenance,
  filling: Filling,
  incomplete: string[],
): Promise<void> {
  const { fresh, signal } = filling;
  if (prepared.script !== undefined) await sanitize(filling, prepared.script);
  const record = await recordFor(request, reportOf(request, prepared, incomplete));
  await withClient(fresh.admin, (client) =>
    record ? recordRestore(client, record, request.owner) : forgetRestores(client),
  );
  await applyRights(filling);
  for (const statement of await databaseProperties(maintenance, request.target.database, fresh.name))
    await maintenance.client.query(statement);
  signal.throwIfAborted();
  await swap(maintenance, request.target.database, fresh.name);
}

/** A restore by hand leaves standing what the target says of its stack's own: the stack then does not restore again. */
async function recordFor(
  { record, path, target }: RestoreRequest,
  report: RestoreReport,
): Promise<RestoreRecord<unknown> | undefined> {
  if (record) return { path, sha256: report.sha256, report };
  return withClient(target, (client) => recordedRestore(client));
}

function unchanged(target: ConnectionSettings, error: unknown, left: string): unknown {
  const { code, message } = error as { code?: unknown; message: string };
  if (!(error instanceof UserError) && typeof code !== "string" && !isSessionEnd(error)) return error;
  return new UserError(
    `${message}\nThe restore was given up: ${describe(target)} is as it was before.${left}`,
    { cause: error, ...(error instanceof UserError ? { exitCode: error.exitCode } : {}) },
  );
}
