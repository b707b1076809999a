/**
 * Random schemas with random changes between two of them: revision's migration is applied, reverted and applied again, and
 * pg_dump, privileges, rows and a replication slot are compared.
 * Usage: node bench/random-schemas.ts [--seeds 100] [--from 1] [--major 15] [--shrink]. Prints what is wrong with a case, the
 * whole case where it is the only one and, with --shrink, the smallest case of the same fault; ends with 1 where something is wrong.
 */

import { parseArgs } from "node:util";
import { withClient } from "../runner/postgres/connection.ts";
import { openScratchServer } from "../runner/scratch/server.ts";
import { groundSettings, groundStatements, type Outcome, runCase } from "../tests/generator/revision-case.ts";
import { type SchemaPair, schemasOf } from "../tests/generator/schema/change.ts";
import { kindOf, shrink } from "../tests/generator/shrink.ts";
import { startThrowawayCluster } from "../tests/support/throwaway-cluster.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    major: { type: "string" },
    shrink: { type: "boolean", default: false },
  },
});
const say = (text: string) => process.stdout.write(`${text}\n`);

await using cluster = await startThrowawayCluster({
  major: values.major === undefined ? undefined : Number(values.major),
  settings: groundSettings,
});
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void cluster.close().finally(() => process.exit(1)));
const scratch = await openScratchServer({ programs: cluster.place.programs });
const run = (pair: SchemaPair) => runCase({ cluster, scratch }, pair);

function show({ live, models, migrations, faults }: Outcome): void {
  for (const fault of faults.slice(0, 5)) say(`  ${fault.replaceAll("\n", "\n    ")}`);
  say(`-- live\n${live}\n-- models\n${models}\n-- migrations\n${migrations}`);
}

const kinds = new Map<string, number[]>();
let stopped = 0;
try {
  await withClient(cluster.admin, (client) => client.query(groundStatements.join(";")));
  const first = Number(values.from);
  for (let seed = first; seed < first + Number(values.seeds); seed++) {
    const outcome = await run(schemasOf(seed));
    if (outcome.stopped) stopped++;
    if (outcome.faults.length === 0) continue;
    const kind = kindOf(outcome.faults[0] ?? "");
    const seen = kinds.get(kind) ?? [];
    kinds.set(kind, [...seen, seed]);
    say(`seed ${seed}: ${outcome.faults[0]}`);
    if (values.seeds === "1") show(outcome);
    if (values.shrink && seen.length === 0) show(await shrink(outcome, run));
  }
} finally {
  await scratch.server.close();
}
say(`${values.seeds} cases from seed ${values.from}; ${stopped} stopped at rows as their comments say`);
for (const [kind, seeds] of kinds) say(`${seeds.length} x ${kind} (seeds ${seeds.join(", ")})`);
process.exitCode = kinds.size === 0 ? 0 : 1;
