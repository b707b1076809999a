// The main job against its peers, in one run, best of five:   node bench/main-job.ts [ROUNDS]

import { Umzug } from "umzug";
import { withClient } from "../runner/postgres/connection.ts";
import { done } from "../tests/support/project.ts";
import { startThrowawayCluster } from "../tests/support/throwaway-cluster.ts";
import { bestOf, report, seconds } from "./support/measure.ts";
import {
  commandsStack,
  destroyed,
  emptyStack,
  nameOf,
  preview,
  projectOnFreePort,
  upOf,
  writeMigrations,
} from "./support/stacks.ts";

const rounds = Number(process.argv[2] ?? 5);
const generated = 300;

const numbers = Array.from({ length: generated }, (_, index) => index);

async function nothingToDo(): Promise<void> {
  await using ours = await projectOnFreePort();
  await using empty = await emptyStack();
  await done(ours.pgstack("up"));
  const best = await bestOf(rounds, {
    preview: { run: preview(ours) },
    empty: { run: preview(empty) },
    pgstackUp: { run: () => done(ours.pgstack("up")) },
    pulumiUp: { run: () => done(ours.pulumi("up", "--yes", "--stack", "dev")) },
  });
  report("no-op preview", best.preview as number, best.empty as number, "an empty program's");
  report("./pgstack up with nothing to do", best.pgstackUp as number, best.pulumiUp as number, "pulumi up");
  await done(ours.pgstack("destroy"));
}

/** Seconds that Umzug takes for the same migrations with no more than a table of names. */
async function bareUmzug(): Promise<number> {
  await using cluster = await startThrowawayCluster();
  return await withClient(cluster.admin, async (client) => {
    await client.query("CREATE TABLE history (name text PRIMARY KEY)");
    const storage = {
      logMigration: async ({ name }: { name: string }) =>
        void (await client.query("INSERT INTO history VALUES ($1)", [name])),
      unlogMigration: async () => {},
      executed: async () => (await client.query("SELECT name FROM history")).rows.map(({ name }) => name),
    };
    const migrations = numbers.map((index) => ({ name: nameOf(index), up: () => client.query(upOf(index)) }));
    return seconds(() => new Umzug({ migrations, storage, logger: undefined }).up());
  });
}

/** The first up of many migrations, against the same in a bare loop plus what the engine takes for as many resources. */
async function manyMigrations(): Promise<void> {
  await using ours = await projectOnFreePort();
  await using engine = await commandsStack(generated);
  await done(ours.pgstack("up"));
  writeMigrations(ours, generated);
  const umzug = Math.min(...(await Array.fromAsync({ length: rounds }, bareUmzug)));
  const best = await bestOf(rounds, {
    ours: { before: destroyed(ours), run: () => done(ours.pgstack("up", "--skip-preview")) },
    engine: {
      before: destroyed(engine),
      run: () => done(engine.pulumi("up", "--yes", "--skip-preview", "--stack", "dev")),
    },
  });
  const peer = umzug + (best.engine as number);
  report(
    `first up with ${generated} migrations`,
    best.ours as number,
    peer,
    "bare Umzug plus the engine for as many resources",
  );
  await done(ours.pgstack("destroy"));
}

await nothingToDo();
await manyMigrations();
