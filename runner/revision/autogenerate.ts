import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dumpDifferences } from "../scratch/schema-dump.ts";
import { meanwhile } from "../util/background.ts";
import { unreachableOrders } from "./catalog/column-order.ts";
import { type Ground, type Models, type Origin, type Sides, withSides } from "./comparison.ts";
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
  readonly models: Models;
  /** `OLD=NEW`, for each object that has another name in the models. */
  readonly renames: readonly string[];
  /** True where the migration may keep nobody waiting for long, if PostgreSQL has a way. */
  readonly online?: boolean;
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

/** What a check found. */
export interface Check {
  /** A line for each difference between the start and the models; none where they agree. */
  readonly differences: readonly string[];
  /** What a person should know besides. */
  readonly hints: readonly string[];
}

/** Compares the start and the models, and writes nothing. */
export async function check(request: RevisionRequest): Promise<Check> {
  return withSides(request, request.origin, request.models, async (sides) => {
    const { start, models, roles, unwritten } = sides;
    const { actions, deltas } = changesBetween({ direction: "up", from: start, to: models, roles });
    const dumps = await sides.dumps;
    const found = deltas.length > 0 ? deltas.map(describeDelta) : dumpDifferences(dumps.start, dumps.models);
    return {
      differences: [...unwritten, ...found],
      hints: [...sides.notes, ...unreachableOrders(start, models, actions)],
    };
  });
}

/** A line for each difference between the start and the models; none where they agree. */
export async function differences(request: RevisionRequest): Promise<readonly string[]> {
  return (await check(request)).differences;
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

/** What still keeps others waiting in migrations that are to keep nobody waiting. */
function longLocks(steps: readonly Step[]): string[] {
  const paragraphs = steps.flatMap(({ up, down }) => [...up.paragraphs, ...down.paragraphs]);
  const locks = paragraphs.flatMap((text) => [...text.matchAll(/^-- LONG LOCK: (.*?)(?:; FAILS .*)?$/gm)]);
  return [...new Set(locks.map(([, lock]) => `PostgreSQL has no way online for this: ${lock}`))];
}

async function proved(request: RevisionRequest, start: Sides): Promise<Work> {
  const ground = { ...request, ignore: start.ignore };
  const sides = await afterChangesInPlace(ground, start, request.renames);
  const { renamed, models, roles, owners } = sides;
  const changes = changesBetween({ direction: "up", from: renamed, to: models, roles, owners });
  const notes = [...sides.notes, ...unreachableOrders(renamed, models, changes.actions)];
  if (changes.actions.length === 0 && sides === start) {
    const dumps = await start.dumps;
    const problems = [...start.unwritten, ...dumpDifferences(dumps.start, dumps.models)];
    return { steps: [], problems, hints: notes };
  }
  const { server, online = false } = request;
  const steps = await stepsBetween({ server, sides, ignore: start.ignore, online }, changes);
  const problems = [...start.unwritten, ...(await prove(ground, sides, steps))];
  const left = online ? longLocks(steps) : [];
  return { steps, problems, hints: [...renameHints(renamed, models), ...notes, ...left] };
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
