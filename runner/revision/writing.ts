import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Revision, RevisionPlace, RevisionRequest } from "./autogenerate.ts";
import { changesBetween } from "./changes.ts";
import { dumpDifferences } from "./dump.ts";
import { newFileNames } from "./file-name.ts";
import { afterChangesInPlace } from "./in-place.ts";
import { prove } from "./proof.ts";
import { renameHints } from "./rename-hints.ts";
import { renderMigration } from "./render.ts";
import type { Sides } from "./sides.ts";
import { type Step, stepsBetween } from "./steps.ts";

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
  const changes = changesBetween(sides.renamed, sides.models, sides.roles);
  if (changes.actions.length === 0 && sides === start) {
    const dumps = await start.dumps;
    const problems = [...start.unwritten, ...dumpDifferences(dumps.start, dumps.models)];
    return { steps: [], problems, hints: [] };
  }
  const steps = await stepsBetween(request.server, sides, changes, request.ignore);
  const problems = [...start.unwritten, ...(await prove(request, sides, steps))];
  return { steps, problems, hints: renameHints(sides.renamed, sides.models) };
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
