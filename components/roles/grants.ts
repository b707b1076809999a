import { randomUUID } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { ProviderLimit } from "../../runner/roles/catalog/provider-limits.ts";
import type { RightsCheck } from "../../runner/roles/review/preview.ts";
import { connectionEnvironment } from "../parts/connection.ts";
import { orFail } from "../parts/refusal.ts";
import { type Rollback, RunnerCommand, type Variables } from "../runner/command.ts";
import { askRunner, knownValue } from "../runner/query.ts";
import type { Queries } from "../runner/query-process.ts";
import { declareRights, providerRights } from "./provider-rights.ts";
import type { Roles, StackRole } from "./roles.ts";

export interface RoleGrantsArgs {
  readonly roles: Roles;
  /** Changes when objects may have come or been replaced: the migrations' head, a restore's epoch. */
  readonly epoch: pulumi.Input<string>;
  /** What makes the objects: migrations, a restore. */
  readonly after: readonly pulumi.Input<pulumi.Resource>[];
  /** What the server said of the rights as they are; undefined where there is none yet. */
  readonly check: RightsCheck | undefined;
  /** A cutover that waits for the grants and the probes. */
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
 * The roles' rights once the migrations have made their objects, in three steps. The runner's pass gives every role exactly
 * its rights, in one transaction: on columns, around exclusions, on what other roles than the owner make, and again after
 * a restore. What the provider can state follows as resources, so that a preview shows a right as a right. Then a probe
 * logs in as each role and verifies what it can do and cannot. Made after the migrations; the pass and the probes run again
 * whenever `epoch` changes or the server has drifted.
 */
export class RoleGrants extends pulumi.ComponentResource {
  readonly #args: RoleGrantsArgs;
  readonly probes: readonly VerifiedRole[];

  constructor(name: string, args: RoleGrantsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:RoleGrants", name, {}, opts);
    this.#args = args;
    const pass = this.#grant(args.roles.target.names.of("roles-grants"));
    const stated = orFail(this.#state(pass));
    this.probes = args.roles.all.map((role) => this.#probe(role, stated));
    if (pulumi.runtime.isDryRun()) void orFail(this.#checkPasswords());
    this.registerOutputs({});
  }

  /** A preview names generated passwords that somebody has changed on the server; an update's probes fail with them. */
  async #checkPasswords(): Promise<void> {
    const { roles, queries } = this.#args;
    const verifiers: Record<string, string> = {};
    for (const { config, generatedVerifier } of roles.all) {
      const known = generatedVerifier && (await knownValue(pulumi.unsecret(generatedVerifier)));
      if (known !== undefined) verifiers[config.name] = known;
    }
    if (Object.keys(verifiers).length === 0) return;
    const { administrator } = roles.target;
    const environment = connectionEnvironment(administrator, administrator);
    const asked = askRunner<string[]>(queries, "rights-passwords", { verifiers }, environment);
    const warnings = await asked.catch(() => []); // a server that does not answer: the check of rights has said so
    for (const warning of warnings ?? []) void pulumi.log.warn(warning, this);
  }

  async #state(pass: RunnerCommand): Promise<pulumi.Resource[]> {
    const { roles, check } = this.#args;
    const { names, config, database } = roles.target;
    const limits = await this.#limits(pass);
    const declared = roles.all.map(({ declaration, adopted, config: { memberOf } }) => ({
      declaration,
      memberOf: adopted ? [] : memberOf, // the provider would take the ADMIN OPTION that an adopted role may have
    }));
    const rights = providerRights(declared, { name: config.name, owner: config.owner, limits });
    const sideBySide = check?.superuser ?? true; // without a server yet: a local instance, whose admin is one
    return declareRights(rights, pass, names, { parent: this, deletedWith: database, sideBySide });
  }

  /** As the server was when the program started, or, in an update, as it is after the migrations. */
  async #limits(pass: RunnerCommand): Promise<readonly ProviderLimit[]> {
    const { roles, check, queries } = this.#args;
    const before = check?.limits ?? [];
    if (pulumi.runtime.isDryRun() || (await knownValue(pass.stdout)) === undefined) return before;
    const declarations = roles.all.map(({ declaration }) => declaration);
    const after = await askRunner<ProviderLimit[]>(
      queries,
      "rights-limits",
      { roles: declarations },
      roles.admin.variables,
    );
    return after ?? before;
  }

  #grant(name: string): RunnerCommand {
    const { roles, epoch, after, check, rollback } = this.#args;
    const drifted = check !== undefined && (check.publicDrifted || check.drifted.length > 0);
    const { environment, options } = rerunning(drifted);
    return new RunnerCommand(
      name,
      {
        ensure: "role-grants",
        request: pulumi.jsonStringify({ ...roles.declarations, attributes: roles.attributes, epoch }),
        connection: roles.admin,
        environment,
        rollback,
      },
      { parent: this, deletedWith: roles.target.database, dependsOn: [roles, ...after], ...options },
    );
  }

  #probe({ config, declaration, password }: StackRole, after: Promise<pulumi.Resource[]>): VerifiedRole {
    const { roles, epoch, check, rollback } = this.#args;
    const { names, administrator, connections, config: database, database: resource } = roles.target;
    const { memberOf, validUntil } = config;
    const byAdmin = password === undefined;
    const settings = { ...declaration, memberOf, validUntil, byAdmin };
    const login = { user: config.name, database: database.name };
    const way = byAdmin
      ? roles.admin
      : connections.to(
          names.of(`role ${config.name}`),
          connectionEnvironment(administrator, { ...login, password }),
        );
    const drifted = check !== undefined && (check.publicDrifted || check.drifted.includes(config.name));
    const { environment, options } = rerunning(drifted);
    const probe = new RunnerCommand(
      names.ofRole(config.name, "-probe"),
      {
        ensure: "role-probe",
        request: pulumi.jsonStringify({ ...settings, epoch }),
        connection: way,
        environment,
        rollback,
      },
      { parent: this, deletedWith: resource, dependsOn: after, ...options },
    );
    return { probe, settings, environment: way.variables };
  }
}

/** A role's probe, and what it takes to repeat it. */
export interface VerifiedRole {
  readonly probe: RunnerCommand;
  /** What the role can do and cannot, in the form that the runner takes. */
  readonly settings: object;
  /** PG* variables that lead to the database as the role. */
  readonly environment: Variables;
}

const started = Date.now();

/** Whether the probe's result is of this update; else it comes from the stack's state. */
function isOfThisUpdate(stdout: string): boolean {
  return (JSON.parse(stdout) as { at: number }).at >= started;
}

export interface VerificationArgs {
  readonly grants: RoleGrants;
  /** What the verification waits for: no client is to wait for the verification. */
  readonly after: pulumi.Input<unknown>;
  readonly queries: Queries;
}

/**
 * Repeats, at the end of an update, the probes that had no other reason to run: no update ends with a role unverified. Ends
 * the program where a role can do what it should not, or cannot do what it should. A preview runs none.
 */
export function verifyAtEnd(args: VerificationArgs): Promise<void> {
  return orFail(verifyAgain(args));
}

async function verifyAgain({ grants: { probes: roles }, after, queries }: VerificationArgs): Promise<void> {
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
