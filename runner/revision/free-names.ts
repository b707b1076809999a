import type { FactBase } from "@supabase/pg-delta/core";

/**
 * Gives names for objects that must leave theirs to others: `NAME_old`, or what nothing in the schema has on either side,
 * and no other object got before.
 */
export function freeNames(...sides: readonly FactBase[]): (schema: string, name: string) => string {
  const ids = sides.flatMap((facts) => facts.facts().map(({ id }) => id));
  const taken = new Set(
    ids.flatMap((id) => ("schema" in id && "name" in id ? [JSON.stringify([id.schema, id.name])] : [])),
  );
  return (schema, name) => {
    const stem = Buffer.from(name)
      .subarray(0, 50)
      .toString()
      .replace(/\uFFFD+$/, "");
    for (let count = 1; ; count++) {
      const free = `${stem}_old${count === 1 ? "" : count}`;
      const key = JSON.stringify([schema, free]);
      if (taken.has(key)) continue;
      taken.add(key);
      return free;
    }
  };
}
