import type { Outcome } from "./revision-case.ts";
import type { SchemaPair } from "./schema/change.ts";
import { type Schema, unitsOf, without } from "./schema/parts.ts";

/** What kind of fault a line tells of: without names and numbers. */
export function kindOf(fault: string): string {
  return fault
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, "…")
    .replaceAll(/\b(?:public|app)\.\S+/g, "…")
    .replaceAll(
      /\b(?:t|pt|p|c|ix|v|mv|f|g|tf|con|dom|mood|comp|sq|st|pol|trg|rng|coll|pub|dc|agg|select|mvi|conf|dict|srv|fdw|ft|et|etf|rule)\d+\w*/g,
      "…",
    )
    .slice(0, 70);
}

const keysOf = ({ from, to }: SchemaPair) => [...new Set([...from.keys(), ...to.keys()])];

function removed({ from, to }: SchemaPair, keys: readonly string[]): SchemaPair {
  return { from: without(from, keys), to: without(to, keys) };
}

/** The pair with a part of the second schema as it is in the first. */
function unchanged({ from, to }: SchemaPair, key: string): SchemaPair {
  const part = from.get(key);
  const same = part === undefined ? without(to, [key]) : new Map([...to, [key, part] as const]);
  return { from, to: same };
}

function* smaller(pair: SchemaPair, size: number): Generator<SchemaPair> {
  const keys = keysOf(pair);
  for (let at = 0; at < keys.length; at += size) yield removed(pair, keys.slice(at, at + size));
  if (size > 1) return;
  for (const key of keys) if (pair.from.get(key)?.sql !== pair.to.get(key)?.sql) yield unchanged(pair, key);
}

const fits = (schema: Schema) => {
  try {
    return unitsOf(schema).length >= 0;
  } catch {
    return false;
  }
};

/**
 * Takes parts out of a case for as long as it still has a fault of the same kind.
 * @param run runs a case
 */
export async function shrink(
  outcome: Outcome,
  run: (pair: SchemaPair) => Promise<Outcome>,
): Promise<Outcome> {
  const kind = kindOf(outcome.faults[0] ?? "");
  let best = outcome;
  for (let size = Math.ceil(keysOf(best.schemas).length / 2); size >= 1; ) {
    let better: Outcome | undefined;
    for (const pair of smaller(best.schemas, size)) {
      if (!fits(pair.from) || !fits(pair.to)) continue;
      const tried = await run(pair);
      if (!tried.faults.some((fault) => kindOf(fault) === kind)) continue;
      better = tried;
      break;
    }
    if (better !== undefined) best = better;
    else if (size === 1) break;
    size =
      better === undefined
        ? Math.floor(size / 2)
        : Math.min(size, Math.ceil(keysOf(best.schemas).length / 2));
  }
  return best;
}
