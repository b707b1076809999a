import type pg from "pg";

/** A partition and the table that it belongs to, each quoted, with its schema where the script gives one. */
export interface PartitionName {
  readonly parent: string;
  readonly partition: string;
}

/** `attached`, `absent`, or `pending`: left over from a DETACH PARTITION … CONCURRENTLY that failed or was killed. */
export type PartitionState = "attached" | "absent" | "pending";

/** How the partition stands that the statement detaches. */
export async function partitionState(
  client: pg.Client,
  { parent, partition }: PartitionName,
): Promise<PartitionState> {
  const { rows } = await client.query<{ pending: boolean }>(
    `SELECT inhdetachpending AS pending FROM pg_catalog.pg_inherits
      WHERE inhparent OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1) AND inhrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($2)`,
    [parent, partition],
  );
  const found = rows[0];
  return found === undefined ? "absent" : found.pending ? "pending" : "attached";
}

/** Ends what was begun: PostgreSQL lets a half detached partition neither stay nor be detached again. */
export async function finishDetaching(
  client: pg.Client,
  { parent, partition }: PartitionName,
  log: (line: string) => void,
): Promise<void> {
  log(`finishing to detach the partition ${partition}, which was cut off on its way`);
  await client.query(`ALTER TABLE ${parent} DETACH PARTITION ${partition} FINALIZE`);
}
