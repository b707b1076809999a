import type pg from "pg";
import { type Beat, hasBeat, untilCaughtUp } from "./heartbeat.ts";
import type { Cutover } from "./request.ts";
import { beginReading } from "./row-sums.ts";
import { withAdmin } from "./session.ts";

async function exportSnapshot(client: pg.Client): Promise<string> {
  const { rows } = await client.query("SELECT pg_export_snapshot() AS id");
  return rows[0].id;
}

/** A snapshot of the target in which the heartbeat has arrived. */
async function arrivedSnapshot(client: pg.Client, beat: Beat): Promise<string> {
  return untilCaughtUp(async () => {
    await client.query(beginReading);
    if (await hasBeat(client, beat)) return exportSnapshot(client);
    await client.query("ROLLBACK");
    return undefined;
  });
}

/** Lends a moment of each side, both after the heartbeat, while the source is in use and the target follows it. */
export async function withMoments<T>(
  cutover: Cutover,
  beat: Beat,
  use: (moments: { readonly source: string; readonly target: string }) => Promise<T>,
): Promise<T> {
  return withAdmin(cutover.source, (source) =>
    withAdmin(cutover.target, async (target) => {
      const here = await arrivedSnapshot(target, beat);
      await source.query(beginReading);
      return use({ source: await exportSnapshot(source), target: here });
    }),
  );
}
