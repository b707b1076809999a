import type pg from "pg";
import { isBehind, listSequences, type SequenceState } from "../compare/catalog.ts";

/** One that the target lacks is left to the comparison, which names it. */
async function setSequences(target: pg.Client, sequences: readonly SequenceState[]): Promise<void> {
  await target.query(
    `SELECT setval(to_regclass(name), last, called)
     FROM unnest($1::text[], $2::bigint[], $3::boolean[]) s (name, last, called)`,
    [
      sequences.map(({ name }) => name),
      sequences.map(({ last }) => last),
      sequences.map(({ called }) => called),
    ],
  );
}

/** Sets the target's sequences to where the source's stand. Read after the rows, they are never behind one that was copied. */
export async function copySequences(source: pg.Client, target: pg.Client): Promise<void> {
  await setSequences(target, await listSequences(source));
}

/** Sets those that would give a number that the source has given; what gave numbers here since the copy continues. */
export async function advanceSequences(source: pg.Client, target: pg.Client): Promise<void> {
  const [there, found] = await Promise.all([listSequences(source), listSequences(target)]);
  const here = new Map(found.map((sequence) => [sequence.name, sequence]));
  const behind = there.filter((sequence) => {
    const other = here.get(sequence.name);
    return other !== undefined && isBehind(other, sequence);
  });
  await setSequences(target, behind);
}
