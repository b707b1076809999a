import { encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import pg from "pg";
import { RefusedError } from "../user-error.ts";
import { pathOf } from "./managed-view.ts";
import type { Statement } from "./render.ts";

/** Kinds that `--rename` can rename, and how their statement begins. */
const renamable: Readonly<Record<string, string>> = {
  table: "TABLE",
  view: "VIEW",
  materializedView: "MATERIALIZED VIEW",
  sequence: "SEQUENCE",
  index: "INDEX",
  type: "TYPE",
  domain: "DOMAIN",
};

/** Statements that come before all others on the way up, and after all on the way down. */
export interface InPlace {
  readonly up: readonly Statement[];
  readonly down: readonly Statement[];
}

type Named = StableId & { readonly schema: string; readonly name: string; readonly table?: string };

function statement(id: Named, from: string, to: string, table = id.table): Statement {
  const quote = pg.escapeIdentifier;
  const target =
    table === undefined
      ? `ALTER ${renamable[id.kind]} ${quote(id.schema)}.${quote(from)} RENAME TO ${quote(to)}`
      : `ALTER TABLE ${quote(id.schema)}.${quote(table)} RENAME COLUMN ${quote(from)} TO ${quote(to)}`;
  return { sql: target, comments: [] };
}

function findNamed(facts: FactBase, path: string): Named {
  const found = facts
    .facts()
    .map(({ id }) => id)
    .filter((id): id is Named => (id.kind in renamable || id.kind === "column") && "schema" in id)
    .filter(
      (id) => pathOf(id) === path || `public.${path}` === pathOf(id) || pathOf(id).endsWith(`.${path}`),
    );
  const exact = found.filter((id) => pathOf(id) === path || pathOf(id) === `public.${path}`);
  const [first, ...others] = exact.length > 0 ? exact : found;
  if (first !== undefined && others.length === 0) return first;
  const what = first === undefined ? "nothing" : found.map(pathOf).join(", ");
  throw new RefusedError(
    `--rename ${path}=…: expected one table, column, view, type, sequence or index, found ${what}`,
  );
}

/**
 * Reads `--rename OLD=NEW`: OLD is a path such as `users.email` or `shop.orders`, NEW a name, alone or as a path.
 * Throws RefusedError where OLD is not one object of the start.
 */
export function readRenames(facts: FactBase, pairs: readonly string[]): InPlace {
  const tables = new Map<string, string>();
  const both = pairs.map((pair) => {
    const [old = "", to = ""] = pair.split(/=(.*)/s);
    if (old === "" || to === "")
      throw new RefusedError(`--rename takes OLD=NEW, such as users.email=mail; found "${pair}"`);
    const id = findNamed(facts, old);
    const parent = pathOf(id).slice(0, -id.name.length);
    const shortParent = parent.slice(parent.indexOf(".") + 1);
    const prefix = [parent, shortParent].find((one) => one !== "" && to.startsWith(one)) ?? "";
    const name = to.slice(prefix.length);
    const table = id.table === undefined ? undefined : (tables.get(`${id.schema}.${id.table}`) ?? id.table);
    if (id.kind === "table") tables.set(pathOf(id), name);
    return { up: statement(id, id.name, name, table), down: statement(id, name, id.name, table) };
  });
  return { up: both.map(({ up }) => up), down: both.map(({ down }) => down).reverse() };
}

/** Types and domains that differ by nothing but their name: no row is at stake, so nobody needs to ask. */
export function renamesOfTypes(from: FactBase, to: FactBase): string[] {
  const shape = ({ id, payload }: Fact) => JSON.stringify([id.kind, (id as Named).schema, payload]);
  const types = (one: FactBase, other: FactBase) =>
    Map.groupBy(
      one
        .facts()
        .filter(({ id, payload }) => (id.kind === "domain" || payload.variant === "enum") && !other.has(id)),
      shape,
    );
  const added = types(to, from);
  return [...types(from, to)].flatMap(([key, [old, ...others]]) => {
    const [wanted, ...more] = added.get(key) ?? [];
    if (old === undefined || wanted === undefined || others.length + more.length > 0) return [];
    return [`${pathOf(old.id)}=${(wanted.id as Named).name}`];
  });
}

/** How alike two names are, from 0 to 1: the share of pairs of letters that both have. */
function likeness(one: string, other: string): number {
  const pairs = (text: string) =>
    new Set([...text].slice(1).map((letter, index) => `${[...text][index]}${letter}`));
  const [left, right] = [pairs(one.toLowerCase()), pairs(other.toLowerCase())];
  const shared = [...left].filter((pair) => right.has(pair)).length;
  return (2 * shared) / Math.max(1, left.size + right.size);
}

function columnsOf(facts: FactBase, { id }: Fact): Set<string> {
  const columns = facts.childrenOf(id).filter((child) => child.id.kind === "column");
  return new Set(
    columns.map(({ id: column, payload }) => `${(column as Named).name} ${String(payload.type)}`),
  );
}

/** How likely a dropped object is the added one under another name, from 0 (it cannot be) up. */
function score(old: Fact, from: FactBase, added: Fact, to: FactBase): number {
  const names = likeness((old.id as Named).name, (added.id as Named).name);
  if (old.id.kind === "column") return old.payload.type === added.payload.type ? 0.5 + names : 0;
  const [before, after] = [columnsOf(from, old), columnsOf(to, added)];
  const shared = [...before].filter((column) => after.has(column)).length;
  return (2 * shared) / (before.size + after.size) >= 0.5 ? 0.5 + names : 0;
}

function only(one: FactBase, other: FactBase): Fact[] {
  return one.facts().filter(({ id, parent }) => {
    const whole = id.kind === "table" || (id.kind === "column" && parent !== undefined && other.has(parent));
    return whole && !other.has(id);
  });
}

/** A line for each pair of a dropped and an added table or column that look alike, with the flag that keeps the data. */
export function renameHints(from: FactBase, to: FactBase): string[] {
  const added = new Set(only(to, from));
  return only(from, to).flatMap((old) => {
    const rivals = [...added].filter(
      ({ id, parent }) =>
        id.kind === old.id.kind && encodeId(parent ?? id) === encodeId(old.parent ?? old.id),
    );
    const scored = rivals
      .map((fact) => ({ fact, score: score(old, from, fact, to) }))
      .filter((one) => one.score > 0);
    const best = scored.sort((a, b) => b.score - a.score)[0]?.fact;
    if (best === undefined) return [];
    added.delete(best);
    const name = (best.id as Named).name;
    return [
      `${pathOf(old.id)} and ${pathOf(best.id)} look alike: --rename ${pathOf(old.id)}=${name} would keep the data`,
    ];
  });
}
