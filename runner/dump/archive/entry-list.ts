import { randomUUID } from "node:crypto";
import { open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArchiveEntry } from "./parser.ts";

/** Makes pg_restore take the entries that its standard input lists. */
export const useEntryList = "--use-list=/dev/stdin";

/**
 * Lends a list of entries for pg_restore's standard input. It is an open file without a name (pg_restore cannot open a
 * socket, which is what Node's pipes are): whatever is killed, nothing stays behind.
 */
export async function withEntryList<T>(
  entries: readonly ArchiveEntry[],
  use: (file: number) => Promise<T>,
): Promise<T> {
  const path = join(tmpdir(), `pgstack-list-${randomUUID()}`);
  await using file = await open(path, "wx+", 0o600);
  await unlink(path);
  await file.write(entries.map(({ id }) => `${id}; 0 0 -\n`).join(""), 0);
  return await use(file.fd);
}
