import { randomUUID } from "node:crypto";
import type pg from "pg";
import { secondsSince, withMany } from "../../util/task-pool.ts";
import { withAdmin, withoutTriggers } from "../connections.ts";
import type { Log } from "../session.ts";
import type { Move, RoleMapping } from "../settings.ts";
import { listSchemas } from "./clear-target.ts";
import { applySettings } from "./database-settings.ts";
import { copyLargeObjects } from "./large-objects.ts";
import { applyGrants, applyOwners, existingRoles, revokeDefaults } from "./ownership.ts";
import { execute, refreshViews, runPostData, splitPostData } from "./post-data.ts";
import { dumpSchema } from "./schema.ts";
import { copySequences } from "./sequences.ts";
import { type Snapshot, TablesInUse, withSnapshot } from "./snapshot.ts";
import { loadTables } from "./tables.ts";

/** What was copied, in which time. */
export interface CopyReport {
  /** Another one for each copy. */
  readonly id: string;
  readonly tables: number;
  readonly rows: number;
  /** Of rows, as they passed between the servers. */
  readonly bytes: number;
  readonly largeObjects: number;
  /** Seconds of each part. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Megabytes that the indexes which are built side by side may take together, and one of them alone. */
const indexMemory = { together: 2048, alone: 1024 };

/**
 * Nobody relies on a half-filled target: its commits need not wait for the disk, save the last. A GIN index is merged from
 * parts for want of memory, which takes longer.
 */
const tuning = (jobs: number) => `
  SET synchronous_commit = off; ${withoutTriggers("SESSION")}; SET standard_conforming_strings = on;
  SET maintenance_work_mem = '${Math.min(indexMemory.alone, Math.ceil(indexMemory.together / jobs))}MB'`;

async function carryOwnership(target: pg.Client, snapshot: Snapshot, mapping: RoleMapping): Promise<void> {
  const { owners, declaredRoles } = mapping;
  const roles = await existingRoles(target);
  const rename = (role: string) => (role === owners.source || !roles.has(role) ? owners.target : role);
  await applyOwners(
    target,
    snapshot.owners.map((owned) => ({ ...owned, owner: rename(owned.owner) })),
  );
  const carried = snapshot.grants
    .filter(({ grantee }) => grantee === null || !declaredRoles.includes(grantee))
    .map((grant) => (grant.grantee === owners.source ? { ...grant, grantee: owners.target } : grant));
  await revokeDefaults(target, carried);
  await applyGrants(target, carried);
}

/** Does `work`, and notes its seconds under `name`. */
type Timer = <T>(name: string, work: () => Promise<T>) => Promise<T>;

function timer(seconds: Record<string, number>, log: Log): Timer {
  return async (name, work) => {
    const start = performance.now();
    const result = await work();
    seconds[name] = secondsSince(start);
    log(`${name}: ${seconds[name]} s`);
    return result;
  };
}

async function load(
  move: Move,
  log: Log,
  snapshot: Snapshot,
  readers: readonly pg.Client[],
  writers: readonly pg.Client[],
): Promise<CopyReport> {
  const seconds: Record<string, number> = {};
  const time = timer(seconds, log);
  const [reader, writer] = [readers[0], writers[0]] as [pg.Client, pg.Client];
  const roles = await existingRoles(writer);
  const leftOut = {
    presentSchemas: await listSchemas(writer),
    userMappings: snapshot.userMappings.filter(({ user }) => user !== "public" && !roles.has(user)),
  };
  const { postData } = await time("schema", async () => {
    const { id, major, searchPath } = snapshot;
    const dump = await dumpSchema({
      source: move.source,
      target: move.target,
      major,
      snapshot: id,
      leftOut,
      searchPath,
    });
    await execute(writer, { type: "the definitions", name: "before the rows", sql: dump.preData });
    return dump;
  });
  for (const client of writers) await client.query(`SET search_path = ${snapshot.searchPath}`);
  const pairs = readers.map((one, at) => ({ reader: one, writer: writers[at] as pg.Client }));
  const { early, late } = splitPostData(postData, snapshot.tables);
  const copied = await time("rows and indexes", () => loadTables(snapshot, early, pairs, log));
  const largeObjects = await time("large objects", () => copyLargeObjects(reader, writer));
  await time("constraints", () => runPostData(late, writers));
  await time("owners and grants", () => carryOwnership(writer, snapshot, move));
  await time("materialized views", () => refreshViews(writer, snapshot.views));
  await copySequences(reader, writer);
  await applySettings(writer, snapshot.settings, move.declaredRoles);
  return { id: randomUUID(), tables: snapshot.tables.length, ...copied, largeObjects, seconds };
}

async function copyOnce(move: Move, log: Log): Promise<CopyReport> {
  const { source, target, jobs } = move;
  return withSnapshot(source, { readers: jobs, given: move.snapshot }, (snapshot, readers) => {
    const lend = (use: (writer: pg.Client) => Promise<CopyReport>) =>
      withAdmin(target, async (writer) => {
        await writer.query(tuning(jobs));
        return use(writer);
      });
    return withMany(jobs, lend, (writers) => load(move, log, snapshot, readers, writers));
  });
}

const attempts = 5;

/**
 * Fills the emptied target from one snapshot of the source. Throws the server's error at the first fault. Where tables
 * are in use when it begins, nothing is filled yet: then those who wait for them go first.
 */
export async function copyDatabase(move: Move, log: Log): Promise<CopyReport> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await copyOnce(move, log);
    } catch (error) {
      if (!(error instanceof TablesInUse) || attempt === attempts) throw error;
      log("a session holds an ACCESS EXCLUSIVE lock on a table of the source: the copy is started again");
    }
  }
}
