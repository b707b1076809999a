import { ExitCode, UserError } from "../../util/errors.ts";
import { secondsSince } from "../../util/task-pool.ts";
import { hasLargeObjects, largeObjectSums } from "../copy/large-objects.ts";
import type { Move } from "../settings.ts";
import type { PreFreezeReport } from "../state/state.ts";
import { isBehind, listSequences } from "./catalog.ts";
import { ChangedRows } from "./changed-rows.ts";
import { beginReading, type Pair, readSum, type Sum, withPairs } from "./row-checksums.ts";
import { compareRows, describeRows, describeTables, type RowComparison } from "./rows.ts";
import { compareSchemas } from "./schema.ts";

/** What the comparison found. */
export interface VerifyReport {
  readonly tables: number;
  /** Rows of the source that were compared. */
  readonly rows: number;
  readonly sequences: number;
  /** One line for each difference; none means that both sides are the same. */
  readonly differences: readonly string[];
  readonly seconds: number;
  /** What had been compared before the freeze: then `rows` are those that were written since. */
  readonly ahead?: PreFreezeReport;
}

async function compareAllRows(pairs: readonly Pair[]): Promise<RowComparison & { tables: number }> {
  const tables = await describeTables(pairs[0] as Pair);
  const rows = await compareRows(pairs, tables, ChangedRows.whole(tables.tables));
  return { tables: tables.tables.length, ...rows };
}

/** The next number on the target must not be one that the source gave; where the source is in use, any number will do. */
export async function compareSequences(
  [source, target]: Pair,
  live: boolean,
): Promise<{ count: number; differences: string[] }> {
  const [sequences, others] = await Promise.all([listSequences(source), listSequences(target)]);
  const here = new Map(others.map((sequence) => [sequence.name, sequence]));
  const differences = sequences.flatMap((sequence) => {
    const { name } = sequence;
    const other = here.get(name);
    if (other === undefined) return [`sequence ${name}: missing on the target`];
    if (live || !isBehind(other, sequence)) return [];
    return [`sequence ${name}: at ${sequence.last} on the source, behind it at ${other.last} on the target`];
  });
  return { count: sequences.length, differences };
}

async function compareLargeObjects(pair: Pair): Promise<string[]> {
  const present = await Promise.all(pair.map(hasLargeObjects));
  if (!present.includes(true)) return [];
  const sums = pair.map((client) => readSum(client, largeObjectSums));
  const [there, here] = (await Promise.all(sums)) as [Sum, Sum];
  const same = there.rows === here.rows && there.sum === here.sum;
  return same ? [] : ["large objects: their number or contents differ"];
}

/**
 * Compares everything that a copy brings: rows of each table by count and an order-free checksum, sequences,
 * large objects, definitions, owners and grants, as a role that sees all rows. A source in use is compared as of
 * `snapshot`, without its sequences' positions.
 */
export async function verifyDatabases(move: Move): Promise<VerifyReport> {
  const start = performance.now();
  const { snapshot } = move;
  return withPairs(move, move.jobs, async (pairs) => {
    for (const [source, target] of pairs)
      await Promise.all([beginReading(source, snapshot), beginReading(target)]);
    const [pair] = pairs as readonly [Pair];
    const schema = await compareSchemas(pair[0], pair[1], move);
    const rows = await compareAllRows(pairs);
    const sequences = await compareSequences(pair, snapshot !== undefined);
    const objects = await compareLargeObjects(pair);
    return {
      tables: rows.tables,
      rows: rows.rows,
      sequences: sequences.count,
      differences: [...schema, ...describeRows(rows), ...sequences.differences, ...objects],
      seconds: secondsSince(start),
    };
  });
}

/** Names every difference. */
export function differencesError(differences: readonly string[]): UserError {
  return new UserError(`The target is not the same as the source:\n  ${differences.join("\n  ")}`, {
    exitCode: ExitCode.differs,
  });
}
