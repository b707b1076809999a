import { encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import { pathOf } from "../catalog/managed-view.ts";

type Named = StableId & { readonly schema: string; readonly name: string };

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

/** All of a column but its name and place. */
function traits({ payload }: Fact): string {
  const entries = Object.entries(payload).filter(([name]) => !name.startsWith("_"));
  return JSON.stringify(entries.sort());
}

/** Two objects that may be one under another name. */
interface Pair {
  readonly old: Fact;
  readonly added: Fact;
  /** True where nothing else of their type comes or goes in their table. */
  readonly alone: boolean;
}

/** How likely a dropped column is the added one, from 0 (it cannot be) up. Names that share nothing tell of nothing. */
function columnScore({ old, added, alone }: Pair, names: number): number {
  if (old.payload.type !== added.payload.type) return names >= 0.6 ? names / 2 : 0;
  return names >= 0.2 || (alone && traits(old) === traits(added)) ? 0.5 + names : 0;
}

/** How likely a dropped table is the added one: many have their columns for keys and times in common. */
function tableScore({ old, added }: Pair, names: number, from: FactBase, to: FactBase): number {
  const [before, after] = [columnsOf(from, old), columnsOf(to, added)];
  const shared = [...before].filter((column) => after.has(column)).length;
  const share = (2 * shared) / (before.size + after.size);
  return share >= 0.8 || (share >= 0.5 && names >= 0.4) ? 0.5 + names : 0;
}

function score(pair: Pair, from: FactBase, to: FactBase): number {
  const names = likeness((pair.old.id as Named).name, (pair.added.id as Named).name);
  return pair.old.id.kind === "column" ? columnScore(pair, names) : tableScore(pair, names, from, to);
}

function only(one: FactBase, other: FactBase): Fact[] {
  return one.facts().filter(({ id, parent }) => {
    const whole = id.kind === "table" || (id.kind === "column" && parent !== undefined && other.has(parent));
    return whole && !other.has(id);
  });
}

/** True where one may be the other: in the same place, or a table under its name in another schema. */
function areRivals({ id, parent }: Fact, other: Fact): boolean {
  if (id.kind !== other.id.kind) return false;
  const same = encodeId(parent ?? id) === encodeId(other.parent ?? other.id);
  return same || (id.kind === "table" && (id as Named).name === (other.id as Named).name);
}

function advice(old: string, other: string, rename: string): string {
  return `${old} and ${other} look alike: --rename ${rename} would keep the data`;
}

/** Enums in which one value gave way to one other. */
function valueHints(from: FactBase, to: FactBase): string[] {
  return from.facts().flatMap((before) => {
    const after = before.payload.variant === "enum" ? to.get(before.id) : undefined;
    if (after?.payload.variant !== "enum") return [];
    const [old, wanted] = [before, after].map(({ payload }) => payload.values as string[]);
    const [lost, ...more] = old?.filter((value) => !wanted?.includes(value)) ?? [];
    const [made, ...others] = wanted?.filter((value) => !old?.includes(value)) ?? [];
    if (lost === undefined || made === undefined || more.length + others.length > 0) return [];
    const path = pathOf(before.id);
    return [advice(`value '${lost}' of ${path}`, `'${made}'`, `"${path}.${lost}=${made}"`)];
  });
}

/** All pairs that may be one, the likeliest first; each object in one of them at most. */
function likelyPairs(from: FactBase, to: FactBase): Pair[] {
  const [gone, come] = [only(from, to), only(to, from)];
  const rivals = gone.map((old) => ({ old, others: come.filter((added) => areRivals(added, old)) }));
  const pairs = rivals.flatMap(({ old, others }) => {
    const same = (one: Fact) => areRivals(one, old) && one.payload.type === old.payload.type;
    const alone = come.filter(same).length === 1 && gone.filter(same).length === 1;
    return others.map((added): Pair => ({ old, added, alone }));
  });
  const scored = pairs.map((pair) => ({ pair, score: score(pair, from, to) })).filter((one) => one.score > 0);
  const taken = new Set<Fact>();
  return scored
    .sort((one, other) => other.score - one.score)
    .flatMap(({ pair }) => {
      if (taken.has(pair.old) || taken.has(pair.added)) return [];
      taken.add(pair.old).add(pair.added);
      return [pair];
    });
}

/**
 * A line for each pair of a dropped and an added table, column or enum value that look alike, with the flag that keeps the
 * data.
 */
export function renameHints(from: FactBase, to: FactBase): string[] {
  const hints = likelyPairs(from, to).map(({ old, added }) => {
    const moved = old.id.kind === "table" && (added.id as Named).schema !== (old.id as Named).schema;
    const name = moved ? pathOf(added.id) : (added.id as Named).name;
    return advice(pathOf(old.id), pathOf(added.id), `${pathOf(old.id)}=${name}`);
  });
  return [...hints, ...valueHints(from, to)];
}
