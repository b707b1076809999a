import type pg from "pg";
import type { MigrationSettings } from "../../config/migrations.ts";
import { hasRow } from "../../postgres/rows.ts";
import { RefusedError } from "../../util/errors.ts";
import type { MigrationFile } from "../files/types.ts";
import { type Access, withSession } from "../run/session.ts";
import { type HistoryTable, historyTable, readApplied, readHistory } from "./history.ts";
import { withMigrationLock } from "./lock.ts";

export interface RepairRequest {
  readonly access: Access;
  readonly files: readonly MigrationFile[];
  readonly settings: Pick<MigrationSettings, "table">;
  readonly log: (line: string) => void;
}

function withTable<T>(
  { access, settings, log }: RepairRequest,
  use: (client: pg.Client, table: HistoryTable) => Promise<T>,
): Promise<T> {
  const table = historyTable(settings.table);
  return withSession(access, ({ client }) => withMigrationLock(client, table, log, () => use(client, table)));
}

/** The edited ones among the applied, all or the one of that name. Throws RefusedError where that one is not edited. */
async function editedFiles(
  client: pg.Client,
  table: HistoryTable,
  files: readonly MigrationFile[],
  name: string | undefined,
): Promise<MigrationFile[]> {
  const { rows } = await readHistory(client, table);
  const sums = new Map(rows.map((row) => [row.name, row.checksum]));
  const edited = files.filter((file) => sums.has(file.name) && sums.get(file.name) !== file.checksum);
  if (name === undefined) return edited;
  if (!sums.has(name))
    throw new RefusedError(`Migration ${name} is not applied: there is nothing to repair.`);
  return edited.filter((file) => file.name === name);
}

/**
 * Shows what was edited in applied migrations and, if `accept`, takes the present text for what was applied. Runs nothing
 * of it. Resolves to the names.
 */
export function repairEdited(
  request: RepairRequest,
  name: string | undefined,
  accept: boolean,
): Promise<string[]> {
  return withTable(request, async (client, table) => {
    const edited = await editedFiles(client, table, request.files, name);
    for (const file of edited) {
      const stored = await readApplied(client, table, file.name);
      request.log(`${file.file}, as applied (-) and as it is now (+):`);
      for (const line of differingLines(stored?.up ?? "", file.up)) request.log(`  ${line}`);
      if (accept)
        await client.query(
          `UPDATE ${table.sql} SET up = $2, down = $3, checksum = $4, language = $5 WHERE name = $1`,
          [...[file.name, file.up, file.down, file.checksum, file.language]],
        );
    }
    return edited.map((file) => file.name);
  });
}

/** Says which statement of a `transaction=off` migration that was cut off comes next. Throws RefusedError. */
export function repairProgress(request: RepairRequest, name: string, next: number): Promise<void> {
  return withTable(request, async (client, table) => {
    const cutOff = await hasRow(
      client,
      `UPDATE ${table.sql} SET statements_done = $2, statement_begun = NULL WHERE name = $1 AND statements_done IS NOT NULL
       RETURNING name`,
      [name, next - 1],
    );
    if (!cutOff)
      throw new RefusedError(`Migration ${name} was not cut off: there is nothing to continue with.`);
  });
}

/** The lines in which two texts differ, old ones with `-` and new ones with `+`, with a few lines around them. */
export function differingLines(before: string, after: string, context = 2): string[] {
  const [old, now] = [before.split("\n"), after.split("\n")];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail))
    tail++;
  const marked = (sign: string, lines: string[]) => lines.map((line) => `${sign} ${line}`);
  return [
    ...marked(" ", old.slice(Math.max(0, head - context), head)),
    ...marked("-", old.slice(head, old.length - tail)),
    ...marked("+", now.slice(head, now.length - tail)),
    ...marked(" ", now.slice(now.length - tail, now.length - tail + context)),
  ];
}
