import pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { isNotOfExtension } from "../../postgres/sql.ts";
import { UserError } from "../../util/errors.ts";
import { distribute } from "../../util/task-pool.ts";

/** Two foreign keys that are made side by side may want each other's tables: the server ends one, which comes again. */
const deadlock = "40P01";

/**
 * Runs an entry of the dump, alone: its text may end in a comment, so that nothing may follow it on its last line. Throws
 * UserError that names the object and the target's reason.
 */
export async function execute(client: pg.Client, { type, name, sql }: SchemaEntry): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code === deadlock) throw error;
    throw new UserError(`The target refused ${type} ${name} of the source: ${error.message}`, {
      cause: error,
    });
  }
}

async function executeAgain(client: pg.Client, entry: SchemaEntry): Promise<void> {
  for (;;) {
    try {
      return await execute(client, entry);
    } catch (error) {
      if ((error as { code?: string }).code !== deadlock) throw error;
    }
  }
}

const isIndex = ({ type }: SchemaEntry) => type === "INDEX" || type === "CONSTRAINT";
const isForeignKey = ({ type }: SchemaEntry) => type === "FK CONSTRAINT";

const word = String.raw`(?:"(?:[^"]|"")+"|[^\s."]+)`;
const onTable = new RegExp(
  String.raw`^(?:CREATE (?:UNIQUE )?INDEX ${word} ON|ALTER TABLE) (?:ONLY )?(${word}\.${word})\s`,
);

/** Sets apart, by table, the indexes that want nothing but the rows of one of `tables`. */
export function splitPostData(
  entries: readonly SchemaEntry[],
  tables: readonly { readonly name: string }[],
): { readonly early: Map<string, SchemaEntry[]>; readonly late: SchemaEntry[] } {
  const early = new Map(tables.map(({ name }): [string, SchemaEntry[]] => [name, []]));
  const late = entries.filter((entry) => {
    const own = isIndex(entry) ? early.get(entry.sql.match(onTable)?.[1] ?? "") : undefined;
    own?.push(entry);
    return own === undefined;
  });
  return { early, late };
}

/**
 * Makes what follows the rows: indexes side by side, then everything else in the dump's order, then foreign keys
 * side by side, since each of them reads two tables whole. What only comments on a foreign key waits for it.
 */
export async function runPostData(
  entries: readonly SchemaEntry[],
  writers: readonly pg.Client[],
): Promise<void> {
  const [first] = writers as readonly [pg.Client];
  const late = ({ type }: SchemaEntry) => type === "COMMENT" || type === "EVENT TRIGGER";
  const rest = entries.filter((entry) => !isIndex(entry) && !isForeignKey(entry));
  await distribute(entries.filter(isIndex), writers, (entry, client) => execute(client, entry));
  for (const entry of rest.filter((one) => !late(one))) await execute(first, entry);
  await distribute(entries.filter(isForeignKey), writers, (entry, client) => executeAgain(client, entry));
  for (const entry of rest.filter(late)) await execute(first, entry);
}

const unpopulated = "55000";

/** Fills the materialized views of the list; one that reads another waits until that one is filled. */
export async function refreshViews(client: pg.Client, names: readonly string[]): Promise<void> {
  let waiting = [...names];
  while (waiting.length > 0) {
    const again: string[] = [];
    let reason: unknown;
    for (const name of waiting)
      await client.query(`REFRESH MATERIALIZED VIEW ${name}`).catch((error) => {
        if (error.code !== unpopulated) throw error;
        reason = error;
        again.push(name);
      });
    if (again.length === waiting.length) throw reason;
    waiting = again;
  }
}

/** Materialized views that hold rows. */
export async function listPopulatedViews(client: pg.Client): Promise<string[]> {
  const rows = await rowsOf<{ name: string }>(
    client,
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'm' AND c.relispopulated AND ${isNotOfExtension("pg_class", "c.oid")}
     ORDER BY c.oid`,
  );
  return rows.map(({ name }) => name);
}

/** One object of a dump: its statements, and the kind that pg_dump gives it. */
export interface SchemaEntry {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}
