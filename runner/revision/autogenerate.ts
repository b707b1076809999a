import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dumpDifferences } from "../scratch/schema-dump.ts";
import { meanwhile } from "../util/background.ts";
import { type Ground, type Origin, type Sides, withSides } from "./comparison.ts";
import type { SqlSource } from "./models.ts";
import { changesBetween, describeDelta } from "./plan/plan.ts";
import { prove } from "./proof.ts";
import { renameHints } from "./renames/hints.ts";
import { afterChangesInPlace } from "./renames/in-place.ts";
import { newFileNames } from "./script/file-name.ts";
import { type Step, stepsBetween } from "./script/migrations.ts";
import { renderMigration } from "./script/render.ts";

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
    const found = changesBetween({ direction: "up", from: start, to: models, roles }).deltas.map(
      describeDelta,
    );
    const dumps = await sides.dumps;
    return [...unwritten, ...(found.length > 0 ? found : dumpDifferences(dumps.start, dumps.models))];
  });
}

/** Writes the migrations that lead from the start to the models, proved both ways on a scratch database. */
export async function autogenerate(request: RevisionRequest, place: RevisionPlace): Promise<Revision> {
  const written = withSides(request, request.origin, request.models, async (sides) =>
    (await writing).writeRevision(request, place, sides),
  );
  const writing = meanwhile(import("./autogenerate.ts")); // loads while the databases are read
  return written;
}

function headOf({ problems, hints }: Omit<Work, "steps">): string[] {
  const list = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line.replaceAll("\n", " ")}`)];
  return [...list("NOT PROVED. What still differs:", problems), ...list("To consider:", hints)];
}

function write(place: RevisionPlace, steps: readonly Step[], notes: Omit<Work, "steps">): string[] {
  const head = headOf(notes);
  const names = newFileNames(place.directory, place.description, steps.length, place.now);
  mkdirSync(place.directory, { recursive: true });
  return steps.map(({ up, down }, index) => {
    const path = join(place.directory, names[index] ?? "");
    writeFileSync(path, renderMigration(head, up, down), { flag: "wx" });
    return path;
  });
}

interface Work {
  readonly steps: readonly Step[];
  readonly problems: readonly string[];
  readonly hints: readonly string[];
}

async function proved(request: RevisionRequest, start: Sides): Promise<Work> {
  const sides = await afterChangesInPlace(request, start, request.renames);
  const { renamed, models, roles } = sides;
  const changes = changesBetween({ direction: "up", from: renamed, to: models, roles });
  if (changes.actions.length === 0 && sides === start) {
    const dumps = await start.dumps;
    const problems = [...start.unwritten, ...dumpDifferences(dumps.start, dumps.models)];
    return { steps: [], problems, hints: [] };
  }
  const steps = await stepsBetween(request.server, sides, changes, request.ignore);
  const problems = [...start.unwritten, ...(await prove(request, sides, steps))];
  return { steps, problems, hints: renameHints(renamed, models) };
}

/** Plans, proves and writes the migrations that lead from one side to the other. */
export async function writeRevision(
  request: RevisionRequest,
  place: RevisionPlace,
  sides: Sides,
): Promise<Revision> {
  const { steps, ...rest } = await proved(request, sides);
  return { files: steps.length === 0 ? [] : write(place, steps, rest), ...rest };
}
