import { randomUUID } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { RightsCheck } from "../../runner/roles/review/preview.ts";
import { connectionEnvironment } from "../connection.ts";
import { orFail } from "../refusal.ts";
import { type Rollback, RunnerCommand } from "../runner/command.ts";
import { askRunner, knownValue } from "../runner/query.ts";
import type { Queries } from "../runner/query-process.ts";
import type { Roles, StackRole } from "./roles.ts";

export interface RoleGrantsArgs {
  readonly roles: Roles;
  /** Changes when objects may have come or been replaced: the migrations' head, a restore's epoch. */
  readonly epoch: pulumi.Input<string>;
  /** What makes the objects: migrations, a restore. */
  readonly after: readonly pulumi.Input<pulumi.Resource>[];
  /** What the server said of the rights as they are; undefined where there is none yet. */
  readonly check: RightsCheck | undefined;
  /** A cutover that waits for the grants and their proof. */
  readonly rollback?: Rollback | undefined;
  readonly queries: Queries;
}

const driftVariable = "PGSTACK_DRIFT";

/**
 * Makes a command run although nothing of its declaration changed: by a new value in its environment where the server
 * has drifted, and by the one that is there, whatever it is, where it has not.
 */
function rerunning(drifted: boolean) {
  return drifted
    ? { environment: { [driftVariable]: randomUUID() }, options: {} }
    : { environment: { [driftVariable]: "" }, options: { ignoreChanges: [`environment.${driftVariable}`] } };
}

/**
 * The roles' rights on the objects that exist, their default privileges again (a restore that replaces schemas drops
 * them), and the proof: a probe that tries, connected as the role, what it can do and cannot. Made after the
 * migrations, and again whenever `epoch` changes or rights are not as declared.
 */
export class RoleGrants extends pulumi.ComponentResource {
  readonly #args: RoleGrantsArgs;
  readonly probes: readonly ProvenRole[];

  constructor(name: string, args: RoleGrantsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:RoleGrants", name, {}, opts);
    this.#args = args;
    const grants = this.#grant(`roles-${name}`);
    this.probes = args.roles.all.map((role) => this.#probe(role, grants));
    this.registerOutputs({});
  }

  #grant(name: string): pulumi.Resource {
    const { roles, epoch, after, check, rollback } = this.#args;
    const drifted = check !== undefined && (check.publicDrifted || check.drifted.length > 0);
    const { environment, options } = rerunning(drifted);
    return new RunnerCommand(
      name,
      {
        ensure: "role-grants",
        request: pulumi.jsonStringify({ ...roles.declarations, epoch }),
        environment: { ...roles.admin, ...environment },
        rollback,
      },
      { parent: this, deletedWith: roles.target.database, dependsOn: [roles, ...after], ...options },
    );
  }

  #probe({ config, declaration, password }: StackRole, after: pulumi.Resource): ProvenRole {
    const { roles, epoch, check, rollback } = this.#args;
    const { administrator, config: database, database: resource } = roles.target;
    const { memberOf, validUntil } = config;
    const byAdmin = password === undefined;
    const settings = { ...declaration, memberOf, validUntil, byAdmin };
    const login = { user: config.name, database: database.name };
    const way = byAdmin ? roles.admin : connectionEnvironment(administrator, { ...login, password });
    const drifted = check !== undefined && (check.publicDrifted || check.drifted.includes(config.name));
    const { environment, options } = rerunning(drifted);
    const probe = new RunnerCommand(
      `${config.name}-probe`,
      {
        ensure: "role-probe",
        request: pulumi.jsonStringify({ ...settings, epoch }),
        environment: { ...way, ...environment },
        rollback,
      },
      { parent: this, deletedWith: resource, dependsOn: [after], ...options },
    );
    return { probe, settings, environment: way };
  }
}

/** A role's probe, and what it takes to repeat it. */
export interface ProvenRole {
  readonly probe: RunnerCommand;
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

export interface ProofArgs {
  readonly grants: RoleGrants;
  /** What the proof waits for: no client is to wait for the proof. */
  readonly after: pulumi.Input<unknown>;
  readonly queries: Queries;
}

/**
 * Repeats, at the end of an update, the probes that had no other reason to run: no update ends without a proof of every
 * role. Ends the program where a role can do what it should not, or cannot do what it should. A preview runs none.
 */
export function proveAtEnd(args: ProofArgs): void {
  void orFail(proveAgain(args));
}

async function proveAgain({ grants: { probes: roles }, after, queries }: ProofArgs): Promise<void> {
  if (pulumi.runtime.isDryRun() || roles.length === 0) return;
  await knownValue(pulumi.output(after));
  const settled = roles.map(({ probe, settings, environment }) =>
    pulumi
      .all([probe.stdout, pulumi.unsecret(pulumi.all(environment))] as const)
      .apply(([stdout, way]) => (isOfThisUpdate(stdout) ? [] : [{ settings, environment: way }])),
  );
  const probes = (await knownValue(pulumi.all(settled)))?.flat() ?? [];
  if (probes.length === 0) return;
  const warnings = await askRunner<string[]>(queries, "roles-probe", probes, {});
  for (const warning of warnings ?? []) void pulumi.log.warn(warning);
}
