/**
 * Previews with nothing to do, in one run, best of three: 1,000 migrations under a baseline against an empty program, and 300 that
 * are in no baseline against 300 bare Commands:   node bench/preview.ts [ROUNDS]
 */
import { done } from "../tests/support/project.ts";
import { bestOf, report } from "./support/measure.ts";
import {
  commandsStack,
  emptyStack,
  nameOf,
  preview,
  projectOnFreePort,
  writeMigrations,
} from "./support/stacks.ts";

const rounds = Number(process.argv[2] ?? 3);
const inBaseline = 1000;
const single = 300;

async function underBaseline(): Promise<void> {
  await using ours = await projectOnFreePort({ migrations: { baseline: nameOf(inBaseline - 1) } });
  await using empty = await emptyStack();
  writeMigrations(ours, inBaseline);
  await done(ours.pgstack("up", "--skip-preview"));
  const best = await bestOf(rounds, { ours: { run: preview(ours) }, empty: { run: preview(empty) } });
  report(`${inBaseline} under a baseline`, best.ours as number, best.empty as number, "an empty program's");
  await done(ours.pgstack("destroy"));
}

async function unfolded(): Promise<void> {
  await using ours = await projectOnFreePort();
  await using bare = await commandsStack(single);
  writeMigrations(ours, single);
  await done(ours.pgstack("up", "--skip-preview"));
  const best = await bestOf(rounds, { ours: { run: preview(ours) }, bare: { run: preview(bare) } });
  report(`${single} in no baseline`, best.ours as number, best.bare as number, `${single} bare Commands'`);
  await done(ours.pgstack("destroy"));
}

await underBaseline();
await unfolded();
