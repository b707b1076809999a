import type pg from "pg";
import { meanwhile } from "../meanwhile.ts";
import { type Catalog, readCatalog } from "./catalog.ts";
import type { ScratchDatabase } from "./scratch-database.ts";

/** Where a revision starts: a live database's catalog, or what fills an empty scratch database (migrations). */
export type Origin =
  | { readonly live: Promise<Catalog> }
  | { readonly fill: (database: ScratchDatabase) => Promise<void> };

/** Nobody needs the live database once it is read: the proof runs elsewhere. */
async function readAndLeave(live: pg.Client): Promise<Catalog> {
  try {
    return await readCatalog(live);
  } finally {
    live.end().catch(() => {});
  }
}

/** The start of a revision: a live database, which is read from now on and then left, or what the migrations of a folder build. */
export function originOf(live: pg.Client | undefined, directory: string): Origin {
  if (live === undefined)
    return { fill: async (database) => (await import("./from-migrations.ts")).fillFrom(directory, database) };
  return { live: meanwhile(readAndLeave(live)) };
}
