import type { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { askRunner, valueOf } from "./ask-runner.ts";

/** A role's probe, and what it takes to repeat it. */
export interface ProvenRole {
  readonly probe: local.Command;
  /** What the role can do and cannot, in the form that the runner takes. */
  readonly settings: object;
  /** PG* variables that lead to the database as the role. */
  readonly environment: Readonly<Record<string, pulumi.Output<string>>>;
}

const started = Date.now();

/** Whether the probe's result is of this update; else it comes from the stack's state. */
function isOfThisUpdate(stdout: string): boolean {
  return (JSON.parse(stdout) as { at: number }).at >= started;
}

/**
 * Repeats, once `last` is known, the probes that an update had no other reason to run: none ends without a proof of
 * every role. Ends the program where a role can do what it should not, or cannot do what it should. A preview runs none.
 */
export async function proveAgain(roles: readonly ProvenRole[], last: pulumi.Input<unknown>): Promise<void> {
  if (pulumi.runtime.isDryRun() || roles.length === 0) return;
  await valueOf(pulumi.output(last));
  const settled = roles.map(({ probe, settings, environment }) =>
    pulumi
      .all([probe.stdout, pulumi.unsecret(pulumi.all(environment))] as const)
      .apply(([stdout, way]) => (isOfThisUpdate(stdout) ? [] : [{ settings, environment: way }])),
  );
  const probes = (await valueOf(pulumi.all(settled)))?.flat() ?? [];
  if (probes.length === 0) return;
  const warnings = await askRunner<string[]>("roles-probe", probes, {});
  for (const warning of warnings ?? []) pulumi.log.warn(warning);
}
