import { scan } from "../migrations/scan.ts";

/** Statements of one transaction: the more objects one has made, the longer it takes to make the next. */
export const batchSize = 200;

/** A part of a script, and where it begins there. */
export interface Batch {
  readonly sql: string;
  readonly offset: number;
}

/** Cuts a script that may be large into parts of some statements; one with transactions of its own stays whole. Pure. */
export function batchesOf(sql: string): Batch[] {
  const { statements } = scan(sql);
  if (statements.some(({ words: [first = ""] }) => first === "BEGIN" || first === "START"))
    return [{ sql, offset: 0 }];
  const starts = statements.filter((_, index) => index % batchSize === 0).map(({ start }) => start);
  return starts.map((offset, index) => ({ sql: sql.slice(offset, starts[index + 1]), offset }));
}
