import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import type { ScratchDatabase } from "../script/scratch-copy.ts";

/** A table's place below another: a partition with its bound, or a child by inheritance. */
interface Link {
  readonly child: string;
  readonly parent: string;
  readonly bound: string | null;
  readonly childId: StableId;
  readonly parentId: StableId;
}

/** Statements that move tables below others and away from them, both ways. */
export interface Moves {
  readonly up: readonly string[];
  readonly down: readonly string[];
  /** Tables of the models alone, which must be there before others can move below them. */
  readonly newParents: readonly StableId[];
}

const name = (schema: string, table: string) => `format('%I.%I', ${schema}.nspname, ${table}.relname)`;

const query = `
  SELECT ${name("n", "c")} AS child, CASE WHEN p.oid IS NOT NULL THEN ${name("pn", "p")} END AS parent, pg_get_expr(c.relpartbound, c.oid) AS bound,
         json_build_object('kind', 'table', 'schema', n.nspname, 'name', c.relname) AS "childId",
         json_build_object('kind', 'table', 'schema', pn.nspname, 'name', p.relname) AS "parentId"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
  LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p') ORDER BY 1, 2`;

interface Tables {
  readonly names: ReadonlySet<string>;
  readonly links: readonly Link[];
}

async function tablesOf(client: pg.Client): Promise<Tables> {
  const rows = await rowsOf<Link & { parent: string | null }>(client, query);
  return {
    names: new Set(rows.map(({ child }) => child)),
    links: rows.filter(({ parent }) => parent !== null),
  };
}

const same = (one: Link) => (other: Link) =>
  one.child === other.child && one.parent === other.parent && one.bound === other.bound;

function attach({ child, parent, bound }: Link): string {
  if (bound === null) return `ALTER TABLE ${child} INHERIT ${parent}`;
  return `ALTER TABLE ${parent} ATTACH PARTITION ${child} ${bound}`;
}

function detach({ child, parent, bound }: Link): string {
  if (bound === null) return `ALTER TABLE ${child} NO INHERIT ${parent}`;
  return `ALTER TABLE ${parent} DETACH PARTITION ${child}`;
}

/**
 * The tables that are there before and after, and change their place below others: pg-delta would drop such a table and
 * make it again.
 * @param isRebuilt whether a table is rebuilt anyway
 */
export async function movesBetween(
  start: ScratchDatabase,
  models: ScratchDatabase,
  isRebuilt: (table: StableId) => boolean,
): Promise<Moves> {
  const [before, after] = await Promise.all([tablesOf(start.client), tablesOf(models.client)]);
  const stays = ({ child, childId, parentId }: Link) =>
    before.names.has(child) && after.names.has(child) && !isRebuilt(childId) && !isRebuilt(parentId);
  const left = before.links.filter((link) => stays(link) && !after.links.some(same(link)));
  const taken = after.links.filter((link) => stays(link) && !before.links.some(same(link)));
  return {
    up: [...left.map(detach), ...taken.map(attach)],
    down: [...taken.map(detach).reverse(), ...left.map(attach).reverse()],
    newParents: taken.filter(({ parent }) => !before.names.has(parent)).map(({ parentId }) => parentId),
  };
}

/** What a table is made of where nothing but its place above others matters: its columns, and what those need. */
function collect(models: FactBase, id: StableId, present: FactBase, found: Map<string, Fact>): void {
  const fact = models.get(id);
  const key = encodeId(id);
  if (fact === undefined || present.has(id) || found.has(key)) return;
  found.set(key, fact);
  if (fact.parent !== undefined) collect(models, fact.parent, present, found);
  for (const child of models.childrenOf(id))
    if (["column", "default", "typeAttribute"].includes(child.id.kind))
      collect(models, child.id, present, found);
  for (const { to } of models.outgoingEdges(id)) collect(models, to, present, found);
}

/** A schema with tables of the models besides, without keys and indexes. Pure. */
export function withNewParents(present: FactBase, models: FactBase, parents: readonly StableId[]): FactBase {
  const found = new Map<string, Fact>();
  for (const id of parents) collect(models, id, present, found);
  const has = (id: StableId) => present.has(id) || found.has(encodeId(id));
  const edges = models.edges.filter(({ from, to }) => found.has(encodeId(from)) && has(to));
  return buildFactBase([...present.facts(), ...found.values()], [...present.edges, ...edges], present.source);
}
