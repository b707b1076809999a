import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { changesBetween, describeDelta } from "./changes.ts";
import { dumpDifferences, dumpSchema } from "./dump.ts";
import { newFileNames } from "./file-name.ts";
import type { SqlSource } from "./models.ts";
import { type ProofSettings, prove } from "./proof.ts";
import { renderMigration } from "./render.ts";
import { type Origin, type Sides, withSides } from "./sides.ts";
import { type Step, stepsBetween } from "./steps.ts";

/** What a revision is made from. */
export interface RevisionRequest extends ProofSettings {
  readonly origin: Origin;
  readonly models: readonly SqlSource[];
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
}

/** A line for each difference between the start and the models; none where they agree. */
export async function differences(request: RevisionRequest): Promise<string[]> {
  const { server, origin, models, ignore } = request;
  return withSides(server, origin, models, ignore, async (sides) =>
    changesBetween(sides.start, sides.models, sides.roles).deltas.map(describeDelta),
  );
}

function write(place: RevisionPlace, steps: readonly Step[], problems: readonly string[]): string[] {
  const head =
    problems.length === 0 ? [] : ["NOT PROVED. What still differs:", ...problems.map((line) => `  ${line}`)];
  const names = newFileNames(place.directory, place.description, steps.length, place.now);
  mkdirSync(place.directory, { recursive: true });
  return steps.map(({ up, down }, index) => {
    const path = join(place.directory, names[index] ?? "");
    writeFileSync(path, renderMigration(head, up, down), { flag: "wx" });
    return path;
  });
}

async function dumpsOf({ programs, ignore }: ProofSettings, { startDatabase, modelsDatabase }: Sides) {
  const [start, models] = await Promise.all([
    dumpSchema(programs, startDatabase.settings, ignore),
    dumpSchema(programs, modelsDatabase.settings, ignore),
  ]);
  return { start, models };
}

async function proved(request: RevisionRequest, sides: Sides): Promise<[Step[], string[]]> {
  const dumping = dumpsOf(request, sides);
  const changes = changesBetween(sides.start, sides.models, sides.roles);
  const dumps = await dumping;
  if (changes.actions.length === 0) return [[], dumpDifferences(dumps.start, dumps.models)];
  const steps = await stepsBetween(request.server, sides, changes, request.ignore);
  return [steps, await prove(request, sides, steps, dumps)];
}

/** Writes the migrations that lead from the start to the models, proved both ways on a scratch database. */
export async function autogenerate(request: RevisionRequest, place: RevisionPlace): Promise<Revision> {
  const { server, origin, models, ignore } = request;
  return withSides(server, origin, models, ignore, async (sides) => {
    const [steps, problems] = await proved(request, sides);
    return { files: steps.length === 0 ? [] : write(place, steps, problems), problems };
  });
}
