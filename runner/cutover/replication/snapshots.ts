import type pg from "pg";
import { oneRow } from "../../postgres/rows.ts";
import { beginReading, type Pair, withPairs } from "../compare/row-checksums.ts";
import type { CutoverSettings } from "../settings.ts";
import { type HeartbeatMarker, hasHeartbeat, untilCaughtUp } from "./heartbeat.ts";

async function exportSnapshot(client: pg.Client): Promise<string> {
  return (await oneRow<{ id: string }>(client, "SELECT pg_export_snapshot() AS id")).id;
}

/** A snapshot of the target in which the heartbeat has arrived. */
async function arrivedSnapshot(client: pg.Client, marker: HeartbeatMarker): Promise<string> {
  return untilCaughtUp(client, async () => {
    await beginReading(client);
    if (await hasHeartbeat(client, marker)) return exportSnapshot(client);
    await client.query("ROLLBACK");
    return undefined;
  });
}

/** Lends pairs that read one moment of each side, both after the heartbeat, while the target follows a source in use. */
export async function withConsistentSnapshots<T>(
  cutover: CutoverSettings,
  count: number,
  marker: HeartbeatMarker,
  use: (pairs: readonly Pair[]) => Promise<T>,
): Promise<T> {
  return withPairs(cutover, count, async (pairs) => {
    const [[source, target], ...others] = pairs as readonly [Pair, ...Pair[]];
    const here = await arrivedSnapshot(target, marker);
    await beginReading(source);
    const there = await exportSnapshot(source);
    for (const pair of others) await Promise.all([beginReading(pair[0], there), beginReading(pair[1], here)]);
    return use(pairs);
  });
}
