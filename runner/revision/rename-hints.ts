import { encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import { pathOf } from "./managed-view.ts";

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

/** How likely a dropped object is the added one under another name, from 0 (it cannot be) up. */
function score(old: Fact, from: FactBase, added: Fact, to: FactBase): number {
  const names = likeness((old.id as Named).name, (added.id as Named).name);
  if (old.id.kind === "column" && old.payload.type !== added.payload.type)
    return names >= 0.5 ? names / 2 : 0;
  if (old.id.kind === "column") return names >= 0.2 || traits(old) === traits(added) ? 0.5 + names : 0;
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

/**
 * A line for each pair of a dropped and an added table, column or enum value that look alike, with the flag that keeps the
 * data.
 */
export function renameHints(from: FactBase, to: FactBase): string[] {
  const added = new Set(only(to, from));
  const hints = only(from, to).flatMap((old) => {
    const scored = [...added]
      .filter((fact) => areRivals(fact, old))
      .map((fact) => ({ fact, score: score(old, from, fact, to) }))
      .filter((one) => one.score > 0);
    const best = scored.sort((a, b) => b.score - a.score)[0]?.fact;
    if (best === undefined) return [];
    added.delete(best);
    const moved = old.id.kind === "table" && (best.id as Named).schema !== (old.id as Named).schema;
    const name = moved ? pathOf(best.id) : (best.id as Named).name;
    return [advice(pathOf(old.id), pathOf(best.id), `${pathOf(old.id)}=${name}`)];
  });
  return [...hints, ...valueHints(from, to)];
}
