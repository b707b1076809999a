/**
 * Random declarations of roles, objects that come later, changes by hand and other declarations: after each step, who may do
 * what is compared with a model.
 * Usage: node bench/random-roles.ts [--seeds 100] [--from 1] [--major 15]. Prints what is wrong with a case, and its statements
 * where it is the only one; ends with 1 where something is wrong.
 */

import { parseArgs } from "node:util";
import { kindOfRoleFault, runRoleCase } from "../tests/generator/roles/role-case.ts";
import { startThrowawayCluster } from "../tests/support/throwaway-cluster.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    major: { type: "string" },
  },
});
const say = (text: string) => process.stdout.write(`${text}\n`);

await using cluster = await startThrowawayCluster({
  major: values.major === undefined ? undefined : Number(values.major),
  admin: "superuser",
});
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void cluster.close().finally(() => process.exit(1)));

const kinds = new Map<string, number[]>();
const first = Number(values.from);
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  const { log, faults } = await runRoleCase(cluster, seed);
  if (faults.length === 0) continue;
  say(`seed ${seed}: ${faults.length} faults, first ${faults[0]}`);
  const kind = kindOfRoleFault(faults[0] ?? "");
  kinds.set(kind, [...(kinds.get(kind) ?? []), seed]);
  if (values.seeds === "1") for (const line of [...faults, ...log]) say(line);
}
say(`${values.seeds} cases from seed ${first}`);
for (const [kind, seeds] of kinds) say(`${seeds.length} x ${kind} (seeds ${seeds.join(", ")})`);
process.exitCode = kinds.size === 0 ? 0 : 1;
