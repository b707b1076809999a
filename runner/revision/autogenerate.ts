import { meanwhile } from "../meanwhile.ts";
import { changesBetween, describeDelta } from "./changes.ts";
import { dumpDifferences } from "./dump.ts";
import type { SqlSource } from "./models.ts";
import type { Origin } from "./origin.ts";
import { type Ground, withSides } from "./sides.ts";

/** What a revision is made from. */
export interface RevisionRequest extends Ground {
  readonly origin: Origin;
  readonly models: readonly SqlSource[];
  /** `OLD=NEW`, for each object that has another name in the models. */
  readonly renames: readonly string[];
}

/** Where and under which name a revision is written. */
export interface RevisionPlace {
  readonly directory: string;
  readonly description: string;
  readonly now: Date;
}

/** What was written, and what could not be confirmed. */
export interface Revision {
  /** Paths, in the order in which they apply; empty where nothing differs. */
  readonly files: readonly string[];
  readonly problems: readonly string[];
  /** What a person should look at before running them. */
  readonly hints: readonly string[];
}

/** A line for each difference between the start and the models; none where they agree. */
export async function differences(request: RevisionRequest): Promise<string[]> {
  return withSides(request, request.origin, request.models, async (sides) => {
    const { start, models, roles, unwritten } = sides;
    const found = changesBetween(start, models, roles).deltas.map(describeDelta);
    const dumps = await sides.dumps;
    return [...unwritten, ...(found.length > 0 ? found : dumpDifferences(dumps.start, dumps.models))];
  });
}

/** Writes the migrations that lead from the start to the models, proved both ways on a scratch database. */
export async function autogenerate(request: RevisionRequest, place: RevisionPlace): Promise<Revision> {
  const written = withSides(request, request.origin, request.models, async (sides) =>
    (await writing).writeRevision(request, place, sides),
  );
  const writing = meanwhile(import("./writing.ts")); // loads while the databases are read
  return written;
}
