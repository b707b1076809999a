import type { ArchiveEntry } from "../dump/archive-parser.ts";
import type { Failure } from "./failures.ts";
import { type Filling, loading } from "./filling.ts";
import { followersOf, largeTables, memoryFor } from "./large-tables.ts";
import { load, loadTogether } from "./load.ts";
import { loadLargeTables } from "./load-large-tables.ts";

/**
 * The rows and what follows on them. A large table is loaded by all sessions first, and its slow indexes are begun at
 * once: what one session has to do alone then ends with the rest rather than after it. Its keys come before, since they
 * lock out the making of any index.
 */
export async function fillTables(filling: Filling, entries: readonly ArchiveEntry[]): Promise<Failure[]> {
  const { fresh, jobs } = filling;
  const large = await largeTables(filling, entries);
  await loadLargeTables(large, { ...filling, connection: fresh.admin });
  const { keys, slow } = followersOf(large, entries);
  const done = new Set([...large.map(({ entry }) => entry), ...keys, ...slow]);
  const rest = entries.filter((entry) => !done.has(entry));
  const forSlow = Math.min(slow.length, Math.ceil(jobs / 2));
  const post = { sections: ["post-data"] } as const;
  return [
    ...(await load({ ...loading(filling, keys), ...post })),
    ...(await loadTogether([
      { ...loading(filling, slow), ...post, jobs: forSlow, indexMemory: memoryFor(large) },
      { ...loading(filling, rest), sections: ["data", "post-data"], jobs: jobs - forSlow },
    ])),
  ];
}
