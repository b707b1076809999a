/** Kinds of index that one process builds, row by row. */
export const isSlowIndex = (sql: string): boolean => / USING (?!btree |hash )/.test(sql);

/**
 * Megabytes of maintenance_work_mem for a slow index on so many bytes of rows: the more of it, the more the processor's
 * cache is missed, while the index fits in memory. Found with GIN: `bench/dump-restore.ts`.
 */
export function slowIndexMegabytes(bytes: number): number {
  return Math.min(1024, Math.max(16, Math.round(bytes / 2 ** 26)));
}
