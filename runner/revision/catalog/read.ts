import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import { extract } from "@supabase/pg-delta/extract";
import type pg from "pg";
import { oneRow } from "../../postgres/rows.ts";
import { readServerVersion } from "../../postgres/server-version.ts";
import { isNotPredefinedRole } from "../../postgres/sql.ts";
import { withNotNullApart } from "../plan/statements/not-null.ts";
import { askAtOnce, planOnce } from "./batch-query.ts";
import { type ColumnOrder, readColumnOrder } from "./column-order.ts";
import { askForDependencies } from "./dependencies.ts";
import { extrasHandler } from "./extras/handler.ts";
import { objectsQuery } from "./extras/objects.ts";
import { propertiesQuery } from "./extras/properties.ts";
import type { ColumnId } from "./managed-view.ts";
import {
  canonical,
  readOnlyIndexes,
  readVirtualColumns,
  withOnlyIndexes,
  withVirtualColumns,
} from "./normalize.ts";
import {
  type Answer,
  type Ask,
  isForDependencies,
  isForUnknownKinds,
  nothing,
  poolOf,
  queriesFor,
} from "./reader-patches.ts";
import { findsNothing, readPresence } from "./skip-empty.ts";
import { readUnread, type UnreadObject } from "./unsupported.ts";

/** Everything of a database that a schema is made of, read from its catalog. */
export interface Catalog {
  readonly facts: FactBase;
  /** Major version of the server. */
  readonly major: number;
  /** The path on which unqualified names in function bodies are found, in the form of the setting `search_path`. */
  readonly searchPath: string;
  /** Roles of the server, the built-in ones left out. */
  readonly roles: readonly string[];
  /** What is there and not among the facts, or never written. */
  readonly unread: readonly UnreadObject[];
  readonly columnOrder: ColumnOrder;
  /** The owners of objects, by encoded ids, where they are others than the role that reads. */
  readonly owners: ReadonlyMap<string, string>;
}

/** How a connection answers: many queries at once, and those for dependencies. */
interface Source {
  readonly client: pg.Client;
  readonly version: number;
  readonly atOnce: (client: pg.Client, queries: readonly string[]) => Promise<ReadonlyMap<string, Answer>>;
  readonly dependencies: Ask;
}

/**
 * Reads the facts of one moment, by the snapshot of the reader's transaction: what it will ask is asked all at once, as
 * soon as the transaction is set up, and without what can find nothing.
 */
async function factsOf({ client, version, atOnce, dependencies }: Source): Promise<FactBase> {
  const queries = await queriesFor(version);
  let present: ReadonlySet<string> = new Set();
  let answers: ReadonlyMap<string, Answer> = new Map();
  let virtual: readonly ColumnId[] = [];
  let only: readonly StableId[] = [];
  const answer: Ask = async (text) => {
    if (isForDependencies(text)) return dependencies(text);
    if (isForUnknownKinds(text) || findsNothing(text, present)) return nothing;
    const result = answers.get(text) ?? (await client.query(text));
    if (text.startsWith("SET LOCAL search_path")) {
      present = await readPresence(client);
      const own = [objectsQuery(present), propertiesQuery(present)].filter((query) => query !== undefined);
      const some = queries.filter((query) => !findsNothing(query, present));
      answers = await atOnce(client, [...some, ...own]);
      virtual = await readVirtualColumns(client, version);
      only = await readOnlyIndexes(client, present);
    }
    return result;
  };
  const handlers = [extrasHandler(() => present)];
  // the kinds with passwords (user mappings, subscriptions) are left out of a revision, so nothing needs to be hidden
  const { factBase } = await extract(poolOf(answer), { handlers, redactSecrets: false });
  return withOnlyIndexes(withVirtualColumns(withNotNullApart(canonical(factBase)), virtual), only);
}

/**
 * The objects alone, to compare two schemas that only have to be the same; without dependencies nothing can be planned.
 * @param client a connection of its own to a scratch database, which is quicker the second time
 * @param major the server's version
 */
export async function readFacts(client: pg.Client, major: number): Promise<FactBase> {
  return factsOf({ client, version: major * 10_000, atOnce: planOnce, dependencies: async () => nothing });
}

function ownersIn(facts: FactBase, reader: string): Map<string, string> {
  const owners = facts.edges.flatMap(({ kind, from, to }): [string, string][] =>
    kind === "owner" && to.kind === "role" && to.name !== reader ? [[encodeId(from), to.name]] : [],
  );
  return new Map(owners);
}

/**
 * Reads a database's catalog in one read-only transaction. Needs no right but to connect.
 * @param client a connection that nothing else uses meanwhile; its `search_path` is the one recorded
 */
export async function readCatalog(client: pg.Client): Promise<Catalog> {
  await client.query("SET jit = off"); // compiling queries takes longer than they do
  const version = await readServerVersion(client);
  const about = await oneRow<{ path: string; reader: string; roles: string[] }>(
    client,
    `SELECT current_setting('search_path') AS path, current_user::text AS reader,
            (SELECT coalesce(array_agg(rolname::text), '{}') FROM pg_roles WHERE ${isNotPredefinedRole("rolname")}) AS roles`,
  );
  const unread = await readUnread(client, version.major);
  const columnOrder = await readColumnOrder(client);
  const dependencies: Ask = (text) => askForDependencies(client, text);
  const facts = await factsOf({ client, version: version.number, atOnce: askAtOnce, dependencies });
  return {
    facts,
    major: version.major,
    searchPath: about.path,
    roles: about.roles,
    unread,
    columnOrder,
    owners: ownersIn(facts, about.reader),
  };
}
