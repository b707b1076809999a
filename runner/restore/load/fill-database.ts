import pg from "pg";
import type { ArchiveEntry } from "../../dump/archive/parser.ts";
import { withClient, withTransaction } from "../../postgres/connection.ts";
import { UserError } from "../../util/errors.ts";
import { readRights, rightsDifference } from "../swap/grants.ts";
import { extensionTables, givePublic, giveServers, makeExtensions, makeSchemas } from "../swap/preserved.ts";
import { type Filling, loading } from "./context.ts";
import type { Failure } from "./failures.ts";
import { followersOf, largeTables, memoryFor } from "./large-tables.ts";
import { load, loadTogether } from "./load.ts";
import { loadLargeTables } from "./load-large-tables.ts";
import { compareRows } from "./row-counts.ts";

/**
 * Makes everything that the dump holds and checks the rows. Gives what could not be made while the rest is right;
 * throws UserError at the first failure of any other kind.
 */
export async function fill(filling: Filling): Promise<Failure[]> {
  const { plan, frame, owner, timed } = filling;
  const own = await timed("extensions and schemas", () =>
    withClient(filling.fresh.admin, async (client) => {
      await makeSchemas(client, frame, plan.schemas, owner);
      const failures = await load({ ...loading(filling, plan.byAdmin), role: undefined, jobs: 1 });
      await makeExtensions(client, frame);
      const servers = plan.byAdmin.filter(({ type }) => type === "SERVER").map(({ name }) => name);
      await giveServers(client, servers, owner);
      for (const statement of frame.defaultPrivileges) await client.query(statement);
      return { failures, extensionTables: await extensionTables(client) };
    }),
  );
  const [forAdmin, forOwner] = divide(plan.byOwner, own.extensionTables);
  const preData = await timed("pre-data", () =>
    load({ ...loading(filling, forOwner), sections: ["pre-data"], jobs: 1 }),
  );
  const rest = await timed("data and indexes", async () => [
    ...(await load({ ...loading(filling, forAdmin), role: undefined, sections: ["data"], jobs: 1 })),
    ...(await fillTables(filling, forOwner)),
  ]);
  const views = await timed("materialized views", () => refreshViews(filling));
  await timed("row counts", () => checkRows(filling, forOwner));
  return [...own.failures, ...preData, ...rest, ...views];
}

/** Rows of extensions' own tables are the admin's to write. */
function divide(entries: readonly ArchiveEntry[], members: Set<string>): [ArchiveEntry[], ArchiveEntry[]] {
  const isMember = ({ type, schema, name }: ArchiveEntry) =>
    type === "TABLE DATA" && members.has(`${schema}.${name}`);
  return [entries.filter(isMember), entries.filter((entry) => !isMember(entry))];
}

/**
 * Fills the materialized views as their owner would, search_path included: under pg_restore's empty one, functions
 * that name a table without its schema fail.
 */
async function refreshViews({ plan, fresh, owner, frame, signal }: Filling): Promise<Failure[]> {
  if (plan.materializedViews.length === 0) return [];
  return withClient(fresh.admin, async (client) => {
    await client.query("SELECT set_config('search_path', $1, false)", [frame.searchPath]);
    await client.query(`SET ROLE ${pg.escapeIdentifier(owner)}`);
    const failures: Failure[] = [];
    for (const entry of plan.materializedViews) {
      signal.throwIfAborted();
      const name = `${pg.escapeIdentifier(entry.schema ?? "")}.${pg.escapeIdentifier(entry.name)}`;
      await client.query(`REFRESH MATERIALIZED VIEW ${name}`).catch((error: Error) => {
        failures.push({ entry, message: error.message });
      });
    }
    return failures;
  });
}

async function checkRows({ fresh, jobs }: Filling, entries: readonly ArchiveEntry[]): Promise<void> {
  const expected = entries
    .filter(({ type }) => type === "TABLE DATA")
    .map(({ schema, name, rows }) => ({ schema: schema ?? "", name, rows }));
  const differences = await compareRows(fresh.admin, expected, Math.min(jobs, Math.max(1, expected.length)));
  if (differences.length === 0) return;
  const lines = differences.map(
    (one) => `\n  ${one.schema}.${one.name}: ${one.rows} in the dump, ${one.found} restored`,
  );
  throw new UserError(`Tables have other numbers of rows than the dump:${lines.join("")}`);
}

/** Runs the sanitize script as the owner, in one transaction. Throws UserError with PostgreSQL's message. */
export async function sanitize({ fresh, owner, frame }: Filling, script: string): Promise<void> {
  await withClient(fresh.admin, async (client) => {
    await client.query("SELECT set_config('search_path', $1, false)", [frame.searchPath]);
    await client.query(`SET ROLE ${pg.escapeIdentifier(owner)}`);
    try {
      await withTransaction(client, () => client.query(script));
    } catch (error) {
      throw new UserError(`The sanitize script failed: ${(error as Error).message}`, { cause: error });
    }
  });
}

/** Gives every object that the target had before the rights that it had there. */
export async function applyRights({ fresh, frame, owner }: Filling): Promise<void> {
  await withClient(fresh.admin, async (client) => {
    await givePublic(client, frame);
    const present = await readRights(client);
    const role = (await client.query("SELECT quote_ident($1) AS name", [owner])).rows[0].name;
    const statements = rightsDifference([...frame.rights], present, role, fresh.name);
    await withTransaction(client, async () => {
      for (const statement of statements) await client.query(statement);
    });
  });
}

/**
 * The rows and what follows on them. A large table is loaded by all sessions first, and its slow indexes are begun at
 * once: what one session has to do alone then ends with the rest rather than after it. Its keys come before, since they
 * lock out the making of any index.
 */
export async function fillTables(filling: Filling, entries: readonly ArchiveEntry[]): Promise<Failure[]> {
  const { fresh, jobs } = filling;
  const large = await largeTables(filling, entries);
  await loadLargeTables(large, { ...filling, connection: fresh.admin });
  const { keys, slow } = followersOf(large, entries);
  const done = new Set([...large.map(({ entry }) => entry), ...keys, ...slow]);
  const rest = entries.filter((entry) => !done.has(entry));
  const forSlow = Math.min(slow.length, Math.ceil(jobs / 2));
  const post = { sections: ["post-data"] } as const;
  return [
    ...(await load({ ...loading(filling, keys), ...post })),
    ...(await loadTogether([
      { ...loading(filling, slow), ...post, jobs: forSlow, indexMemory: memoryFor(large) },
      { ...loading(filling, rest), sections: ["data", "post-data"], jobs: jobs - forSlow },
    ])),
  ];
}
