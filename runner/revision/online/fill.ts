/** How a runner of migrations tells a statement that may run a second time: a comment before it that begins so. */
export const repeatable = "repeatable:";

/** Pages of a table, of 8 kB each, whose rows one batch fills. */
const pages = 200;

/**
 * A statement that gives a column its default in all rows that hold NULL. Each batch commits by itself, so rows are locked for a
 * moment. The pages of all partitions with the same numbers are one batch. Rows that others move while a pass is on its way are left
 * to the next pass.
 * @param table as SQL writes it
 * @param column as SQL writes it
 */
export function fillInBatches(table: string, column: string): string {
  return `DO $fill$
DECLARE
  page bigint;
BEGIN
  FOR pass IN 1 .. 5 LOOP
    page := 0;
    WHILE EXISTS (SELECT FROM ${table} WHERE ctid >= format('(%s,0)', page)::tid) LOOP
      UPDATE ${table} SET ${column} = DEFAULT
      WHERE ${column} IS NULL
        AND ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + ${pages})::tid;
      COMMIT;
      page := page + ${pages};
    END LOOP;
    EXIT WHEN NOT EXISTS (SELECT FROM ${table} WHERE ${column} IS NULL);
  END LOOP;
END
$fill$`;
}
