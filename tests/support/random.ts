/** A generator of numbers that gives the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Random choices. */
export interface Dice {
  /** A whole number from 0 to below `below`. */
  readonly below: (below: number) => number;
  /** True once in `of` times. */
  readonly once: (of: number) => boolean;
  /** One of several; undefined where there are none. */
  readonly one: <T>(values: readonly T[]) => T | undefined;
  /** One of at least one. */
  readonly of: <T>(...values: readonly [T, ...T[]]) => T;
  /** Up to `most` of several, in their order. */
  readonly some: <T>(values: readonly T[], most: number) => T[];
}

/** Random choices that are the same for the same seed. */
export function diceFrom(seed: number): Dice {
  const below = randomFrom(seed);
  const one = <T>(values: readonly T[]) => values[below(values.length)];
  const some = <T>(values: readonly T[], most: number) => {
    const marked = values.map((value) => ({ value, rank: below(1_000_000) }));
    const chosen = new Set([...marked].sort((a, b) => a.rank - b.rank).slice(0, below(most + 1)));
    return marked.filter((entry) => chosen.has(entry)).map(({ value }) => value);
  };
  return {
    below,
    once: (of) => below(of) === 0,
    one,
    of: (...values) => values[below(values.length)] as (typeof values)[0],
    some,
  };
}
