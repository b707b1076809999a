import type { ArchiveEntry } from "../../dump/archive/parser.ts";
import { withClient, withTransaction } from "../../postgres/connection.ts";
import { identifier, qualified } from "../../postgres/sql.ts";
import { UserError } from "../../util/errors.ts";
import type { RestoreContext } from "../context.ts";
import { extensionRelations, giveServers, makeExtensions, makeSchemas } from "../swap/preserved.ts";
import { tryEach } from "../swap/try-each.ts";
import type { Failure } from "./failures.ts";
import { followersOf, largeTables, loadLargeTables, memoryFor } from "./large-tables.ts";
import { load, loading, loadTogether } from "./load-entries.ts";
import { compareRows } from "./row-counts.ts";

/**
 * Makes everything that the dump holds and checks the rows. Gives what could not be made while the rest is right;
 * throws UserError at the first failure of any other kind.
 */
export async function loadDatabase(context: RestoreContext): Promise<Failure[]> {
  const { clock } = context;
  const { plan } = context.prepared;
  const { failures, members } = await clock.time("extensions and schemas", () => prepareDatabase(context));
  const [forAdmin, forOwner] = divide(plan.byOwner, members);
  const preData = await clock.time("pre-data", () =>
    load({ ...loading(context, forOwner), sections: ["pre-data"], jobs: 1 }),
  );
  const rest = await clock.time("data and indexes", async () => [
    ...(await load({ ...loading(context, forAdmin), role: undefined, sections: ["data"], jobs: 1 })),
    ...(await loadTables(context, forOwner)),
  ]);
  const views = await clock.time("materialized views", () => refreshViews(context));
  await clock.time("row counts", () => checkRows(context, forOwner));
  return [...failures, ...preData, ...rest, ...views];
}

/** What is the admin's to make before the owner's objects, and the relations that belong to extensions. */
async function prepareDatabase(context: RestoreContext) {
  const { preserved, request, notes, fresh } = context;
  const { plan } = context.prepared;
  return withClient(fresh.admin, async (client) => {
    notes.push(...(await tryEach(client, makeSchemas(preserved, plan.schemas, request.owner))));
    const failures = await load({ ...loading(context, plan.byAdmin), role: undefined, jobs: 1 });
    for (const statement of await makeExtensions(client, preserved)) await client.query(statement);
    const servers = plan.byAdmin.filter(({ type }) => type === "SERVER").map(({ name }) => name);
    const defaults = preserved.defaultPrivileges.map(({ statement }) => statement);
    notes.push(...(await tryEach(client, [...giveServers(servers, request.owner), ...defaults])));
    return { failures, members: await extensionRelations(client) };
  });
}

/** Rows and sequences of extensions are the admin's to write. */
function divide(entries: readonly ArchiveEntry[], members: Set<string>): [ArchiveEntry[], ArchiveEntry[]] {
  const isMember = ({ type, schema, name }: ArchiveEntry) =>
    (type === "TABLE DATA" || type === "SEQUENCE SET") && members.has(`${schema}.${name}`);
  return [entries.filter(isMember), entries.filter((entry) => !isMember(entry))];
}

/**
 * Refreshes the materialized views as their owner would, search_path included: under pg_restore's empty one, functions
 * that name a table without its schema fail.
 */
async function refreshViews({
  prepared,
  fresh,
  request,
  preserved,
  signal,
}: RestoreContext): Promise<Failure[]> {
  const { materializedViews } = prepared.plan;
  if (materializedViews.length === 0) return [];
  return withClient(fresh.admin, async (client) => {
    await client.query("SELECT pg_catalog.set_config('search_path', $1, false)", [preserved.searchPath]);
    await client.query(`SET ROLE ${identifier(request.owner)}`);
    const failures: Failure[] = [];
    for (const entry of materializedViews) {
      signal.throwIfAborted();
      const name = qualified(entry.schema ?? "", entry.name);
      await client.query(`REFRESH MATERIALIZED VIEW ${name}`).catch((error: Error) => {
        failures.push({ entry, message: error.message });
      });
    }
    return failures;
  });
}

async function checkRows(
  { fresh, request }: RestoreContext,
  entries: readonly ArchiveEntry[],
): Promise<void> {
  const expected = entries
    .filter(({ type }) => type === "TABLE DATA")
    .map(({ schema, name, rows }) => ({ schema: schema ?? "", name, rows }));
  const sessions = Math.min(request.jobs, Math.max(1, expected.length));
  const differences = await compareRows(fresh.admin, expected, sessions);
  if (differences.length === 0) return;
  const lines = differences.map(
    (one) => `\n  ${one.schema}.${one.name}: ${one.rows} in the dump, ${one.found} restored`,
  );
  throw new UserError(`Tables have other numbers of rows than the dump:${lines.join("")}`);
}

/** Runs the sanitize script as the owner, in one transaction. Throws UserError with PostgreSQL's message. */
export async function sanitize({ fresh, request, preserved }: RestoreContext, script: string): Promise<void> {
  await withClient(fresh.admin, async (client) => {
    await client.query("SELECT pg_catalog.set_config('search_path', $1, false)", [preserved.searchPath]);
    await client.query(`SET ROLE ${identifier(request.owner)}`);
    try {
      await withTransaction(client, () => client.query(script));
    } catch (error) {
      throw new UserError(`The sanitize script failed: ${(error as Error).message}`, { cause: error });
    }
  });
}

/**
 * Loads the rows and what follows on them. A large table is loaded by all sessions first, and its slow indexes are begun at
 * once: what one session has to do alone then ends with the rest rather than after it. Its keys come before, since they
 * lock out the making of any index.
 */
async function loadTables(context: RestoreContext, entries: readonly ArchiveEntry[]): Promise<Failure[]> {
  const { request, prepared, signal } = context;
  const { jobs, path } = request;
  const large = await largeTables({ path, programs: prepared.programs, jobs, signal }, entries);
  await loadLargeTables(large, context);
  const { keys, slow } = followersOf(large, entries);
  const done = new Set([...large.map(({ entry }) => entry), ...keys, ...slow]);
  const rest = entries.filter((entry) => !done.has(entry));
  const forSlow = Math.min(slow.length, Math.ceil(jobs / 2));
  const post = { sections: ["post-data"] } as const;
  return [
    ...(await load({ ...loading(context, keys), ...post })),
    ...(await loadTogether([
      { ...loading(context, slow), ...post, jobs: forSlow, indexMemory: memoryFor(large) },
      { ...loading(context, rest), sections: ["data", "post-data"], jobs: jobs - forSlow },
    ])),
  ];
}
