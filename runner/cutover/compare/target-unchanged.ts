import type pg from "pg";
import { oneRow } from "../../postgres/rows.ts";

/** A moment of a server, as it counts the transactions that write. */
export async function transactionSnapshotOf(client: pg.Client): Promise<string> {
  const sql = "SELECT txid_current_snapshot()::text AS moment";
  return (await oneRow<{ moment: string }>(client, sql)).moment;
}

function parse(moment: string) {
  const [oldest, next] = moment.split(":").map(BigInt) as [bigint, bigint];
  return { oldest, next };
}

/**
 * Whether a single transaction has written to any database of the server since `moment`: the one that recorded it.
 * False too where another was under way at the moment, since its end would not show.
 */
export async function isUnchangedSince(client: pg.Client, moment: string): Promise<boolean> {
  const [then, now] = [parse(moment), parse(await transactionSnapshotOf(client))];
  return then.oldest === then.next && now.next === then.next + 1n;
}
