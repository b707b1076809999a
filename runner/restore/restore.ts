import { readFile } from "node:fs/promises";
import { type ConnectionSettings, describe, withClient } from "../connection.ts";
import { archiveVersions, entryLabel, rowsOf, tableData } from "../dump/archive.ts";
import { type Output, reportProgress } from "../dump/progress.ts";
import { UserError } from "../user-error.ts";
import { applyRights, type Filling, fill, sanitize } from "./fill.ts";
import { readFrame } from "./frame.ts";
import {
  createFresh,
  databaseProperties,
  dropDatabase,
  dropLeftovers,
  type FreshDatabase,
  type Maintenance,
  swap,
  withRestoreLock,
} from "./fresh-database.ts";
import { failureText } from "./load.ts";
import { planRestore, type RestorePlan } from "./plan.ts";
import {
  installedPgRestores,
  missingTablespaces,
  pgRestoreFor,
  refuseFullServer,
  refuseLoss,
  refuseUnfit,
} from "./preflight.ts";
import { readDump, refuseNoDump, type WholeDump } from "./read-dump.ts";
import { forgetRestores, recordRestore } from "./record.ts";
import { inspectTarget, objectsNotIn, type TargetFacts, tablesWithRows } from "./target.ts";

/** A restore to be done. */
export interface RestoreRequest {
  /** The database to be replaced, as a user who may create databases and act as the owner. */
  readonly target: ConnectionSettings;
  readonly path: string;
  /** What the report calls the dump: its path as people gave it. */
  readonly from: string;
  /** The role that owns everything afterwards. */
  readonly owner: string;
  readonly jobs: number;
  /** The dump's SHA-256, where it is fixed. */
  readonly sha256: string | undefined;
  /** Path of an SQL script that is run before anyone else may connect. */
  readonly sanitize: string | undefined;
  /** Writes into the database which dump it came from (for resources, which ask before they restore again). */
  readonly record: boolean;
  /** Agrees to the loss of what the dump does not replace. */
  readonly overwrite: boolean;
  /** Rows in the target need that agreement too, even where the dump holds their tables. */
  readonly protectRows: boolean;
  /** What a refusal tells people to set. */
  readonly overwriteFlag: string;
}

/** What a restore did. */
export interface RestoreReport {
  readonly from: string;
  readonly database: string;
  readonly owner: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Version of the server that was dumped. */
  readonly serverVersion: string;
  /** Version of pg_restore. */
  readonly programVersion: string;
  readonly tables: number;
  readonly rows: number;
  readonly seconds: number;
  /** Seconds by part of the work. */
  readonly parts: Readonly<Record<string, number>>;
  /** In the dump, and not for this owner or for a copy. */
  readonly leftOut: readonly string[];
  /** What should be there and is not, with the reason: the restore is not complete. */
  readonly incomplete: readonly string[];
  /** What is worth knowing. */
  readonly notes: readonly string[];
}

interface Prepared {
  readonly dump: WholeDump;
  readonly facts: TargetFacts;
  readonly plan: RestorePlan;
  readonly script: string | undefined;
  readonly programs: Filling["programs"];
  /** Milliseconds of the start, and seconds by finished part. */
  readonly clock: { readonly began: number; readonly parts: Readonly<Record<string, number>> };
}

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
    for (const name of left) output.log(`dropped database ${name}, left by a restore that was killed`);
    return replace(request, prepared, maintenance, timed, output, signal);
  });
  return reportOf(request, prepared, incomplete);
}

async function prepare(
  request: RestoreRequest,
  output: Output,
  signal: AbortSignal,
): Promise<Omit<Prepared, "clock">> {
  const { path, target, owner } = request;
  refuseNoDump(path);
  const script = request.sanitize === undefined ? undefined : await readFile(request.sanitize, "utf8");
  const installed = await installedPgRestores();
  const [versions, facts] = await Promise.all([
    archiveVersions(path, installed[0]),
    withClient(target, (client) => inspectTarget(client, owner)),
  ]);
  const programs = pgRestoreFor(installed, versions, facts);
  output.log(`reading ${path}`);
  const dump = await readDump(path, request.sha256, programs, signal);
  refuseUnfit(facts, dump.archive, target.user, owner);
  if (isLocal(target)) await refuseFullServer(facts, dump.archive.textBytes);
  if (!request.overwrite)
    await withClient(target, async (client) => {
      const rows = request.protectRows ? await tablesWithRows(client) : [];
      const lost = [...(await objectsNotIn(dump.archive, client)), ...rows.map((name) => `rows of ${name}`)];
      refuseLoss(lost, target.database, request.overwriteFlag);
    });
  return { dump, facts, programs, script, plan: planRestore(dump.archive, facts.owner?.superuser === true) };
}

function isLocal({ host }: ConnectionSettings): boolean {
  return host.startsWith("/") || ["localhost", "127.0.0.1", "::1"].includes(host);
}

async function replace(
  request: RestoreRequest,
  prepared: Prepared,
  maintenance: Maintenance,
  timed: Filling["timed"],
  output: Output,
  signal: AbortSignal,
): Promise<string[]> {
  const { target, owner } = request;
  const fresh = await createFresh(maintenance, target, owner);
  try {
    const frame = await withClient(target, (client) => readFrame(client, owner));
    let begun = 0;
    const filling: Filling = {
      ...{ fresh, frame, owner, signal, timed, jobs: request.jobs, path: request.path },
      plan: prepared.plan,
      programs: prepared.programs,
      tablespaces: missingTablespaces(prepared.facts, prepared.dump.archive).length === 0,
      onTable: () => begun++,
    };
    const total = tableData(prepared.dump.archive).length;
    using _ = reportProgress(output, "restore", async () => ({
      done: Math.min(total, Math.max(0, begun - request.jobs)),
      total,
      bytes: await sizeOf(maintenance, fresh),
    }));
    const incomplete = (await fill(filling)).map(failureText);
    await timed("sanitize, rights and swap", () =>
      finish(request, prepared, maintenance, filling, incomplete),
    );
    return incomplete;
  } catch (error) {
    await dropDatabase(maintenance, fresh.name).catch(() => {});
    throw unchanged(target, error);
  }
}

async function sizeOf({ client }: Maintenance, { name }: FreshDatabase): Promise<number> {
  const { rows } = await client.query("SELECT pg_database_size($1)::float8 AS bytes", [name]);
  return rows[0].bytes;
}

async function finish(
  request: RestoreRequest,
  prepared: Prepared,
  maintenance: Maintenance,
  filling: Filling,
  incomplete: string[],
): Promise<void> {
  const { fresh, signal } = filling;
  if (prepared.script !== undefined) await sanitize(filling, prepared.script);
  const key = { from: request.from, sha256: prepared.dump.checksum.sha256 };
  const report = reportOf(request, prepared, incomplete);
  await withClient(fresh.admin, (client) =>
    request.record ? recordRestore(client, key, report, request.owner) : forgetRestores(client),
  );
  await applyRights(filling);
  for (const statement of await databaseProperties(maintenance, request.target.database, fresh.name))
    await maintenance.client.query(statement);
  signal.throwIfAborted();
  await swap(maintenance, request.target.database, fresh.name);
}

function unchanged(target: ConnectionSettings, error: unknown): unknown {
  const known = error instanceof UserError || typeof (error as { code?: unknown }).code === "string";
  if (!known) return error;
  return new UserError(
    `${(error as Error).message}\nThe restore was given up: ${describe(target)} is as it was before.`,
    { cause: error, ...(error instanceof UserError ? { exitCode: error.exitCode } : {}) },
  );
}

function reportOf(
  { from, target, owner }: RestoreRequest,
  { dump, plan, programs, facts, clock }: Prepared,
  incomplete: readonly string[],
): RestoreReport {
  const { archive, checksum, report } = dump;
  const tablespaces = missingTablespaces(facts, archive);
  return {
    from,
    database: target.database,
    owner,
    ...checksum,
    serverVersion: archive.serverVersion,
    programVersion: programs.version,
    tables: tableData(archive).length,
    rows: rowsOf(archive),
    seconds: (Date.now() - clock.began) / 1000,
    parts: { ...clock.parts },
    leftOut: plan.leftOut.map(entryLabel),
    incomplete: [...incomplete, ...(report?.leftOut ?? [])],
    notes: [
      ...archive.entries
        .filter(isNotValid)
        .map((entry) => `${entryLabel(entry)} is NOT VALID, as in the source`),
      ...tablespaces.map((name) => `the tablespace ${name} is not on this server: the default one was taken`),
    ],
  };
}

function isNotValid({ type, definition }: { type: string; definition: string }): boolean {
  return /CONSTRAINT$/.test(type) && /\bNOT VALID;$/.test(definition);
}
