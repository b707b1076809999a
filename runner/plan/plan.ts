import type { StackFacts } from "../cli/command.ts";
import { ConfigError, parseValues, type StackConfig } from "../config/parse.ts";
import { rightsCheckOf } from "../config/rights-check.ts";
import { readMigrations } from "../migrations/files/directory.ts";
import { isMissingDatabase, withClient } from "../postgres/connection.ts";
import { readServerVersion } from "../postgres/server-version.ts";
import { checkRights, type RightsCheck } from "../roles/review/preview.ts";
import { RefusedError, UserError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";
import { plannedCutover, plannedDump, plannedRestore } from "./contents.ts";
import type { EnginePreview, EngineStep, RecordedStack } from "./engine.ts";
import { type MigrationsOutlook, outlookOfNothing, readMigrationsOutlook } from "./migrations.ts";
import {
  type AppliedRevision,
  type Plan,
  type PlannedResource,
  type PlannedServer,
  planVersion,
} from "./model.ts";
import { plannedRoles, publicDrift, rightsDrift, roleType } from "./roles.ts";
import { type Reviews, readReviews, type Ways, waysOf } from "./ways.ts";

/** What a plan is made from. */
export interface PlanInput {
  readonly facts: StackFacts;
  /** Of Pulumi's preview, which runs meanwhile; undefined where Pulumi does not know the stack yet. */
  readonly engine: Promise<EnginePreview> | undefined;
  readonly recorded: RecordedStack;
  readonly now: Date;
  /** Whether the schema and the rights matrix are wanted. */
  readonly pictures?: boolean;
}

/** What the preview of a stack would say that Pulumi does not know yet: its roles are made. */
function firstPreview({ database, roles }: StackConfig): EnginePreview {
  const made = (inputs: { name: string }): EngineStep => ({
    operation: "create",
    type: roleType,
    name: `${inputs.name}-role`,
    before: null,
    because: [],
    after: { login: true, ...inputs },
  });
  const ofRoles = roles.map(({ name, memberOf, idleInTransactionTimeout, ...rest }) => {
    const { connectionLimit, statementTimeout, validUntil } = rest;
    const limits = {
      connectionLimit,
      statementTimeout,
      validUntil,
      idleInTransactionSessionTimeout: idleInTransactionTimeout,
    };
    return made({ name, roles: memberOf, ...limits } as { name: string });
  });
  return { refusals: [], notes: [], steps: [made({ name: database.owner }), ...ofRoles] };
}

/** A database, and all that could be read of it. */
interface Read extends Reviews {
  readonly server: Omit<PlannedServer, "database">;
  readonly migrations: MigrationsOutlook;
  readonly rights: RightsCheck | undefined;
}

const nowhere = { host: null, port: null, version: null, reason: null };

/** The owner's own view, or the administrator's where the owner is still to be made. */
async function readOutlook(
  { access, admin }: Ways,
  files: Parameters<typeof readMigrationsOutlook>[1],
  settings: StackConfig["migrations"],
): Promise<MigrationsOutlook> {
  return readMigrationsOutlook(access, files, settings).catch((error: unknown) => {
    const settled = error instanceof RefusedError || isMissingDatabase(error);
    if (settled || !(error instanceof UserError)) throw error;
    return readMigrationsOutlook({ owner: { ...admin, database: access.owner.database } }, files, settings);
  });
}

async function readServer(
  ways: Ways,
  config: StackConfig,
  recorded: RecordedStack,
  files: Files,
): Promise<Read> {
  const { host, port } = ways.admin;
  const request = rightsCheckOf(config);
  const [version, migrations, rights, reviews] = await Promise.all([
    withClient(ways.admin, async (client) => (await readServerVersion(client)).text),
    readOutlook(ways, files, config.migrations),
    checkRights(ways.admin, request),
    readReviews(ways, request.rights, recorded.rights),
  ]);
  return { server: { ...nowhere, host, port, version, state: "read" }, migrations, rights, ...reviews };
}

type Files = Awaited<ReturnType<typeof readMigrations>>;

/** A database that cannot be read is a result too. Throws RefusedError for wrong files. */
async function read(input: PlanInput, config: StackConfig, files: Files): Promise<Read> {
  const ways = input.engine === undefined ? undefined : waysOf(input.facts, config);
  const unread = (server: Read["server"]): Read => ({
    server,
    migrations: outlookOfNothing(files, config.migrations),
    rights: undefined,
    next: undefined,
    previous: undefined,
  });
  if (ways === undefined) return unread({ ...nowhere, state: "unmade" });
  const { host, port } = ways.admin;
  try {
    return await readServer(ways, config, input.recorded, files);
  } catch (error) {
    if (!(error instanceof UserError) || error instanceof RefusedError) throw error;
    const made = input.facts.outputs.database !== undefined;
    const state = isMissingDatabase(error) ? (made ? "absent" : "unmade") : "unreachable";
    return unread({ ...nowhere, host, port, state, reason: state === "unmade" ? null : error.message });
  }
}

const component = /^(pgstack:|pulumi:(pulumi:Stack|providers:))/;

function resourcesOf(steps: readonly EngineStep[]): PlannedResource[] {
  return steps
    .filter(({ type }) => !component.test(type))
    .map(({ operation, type, name, because }) => ({ operation, type, name, because }));
}

/** What a plan says by itself, in other words. */
const saidElsewhere = /^(\d+ to (apply|record)\b|Rights are not as declared\.)/;

function notesOf({ notes }: EnginePreview, { migrations, findings }: MigrationsOutlook): string[] {
  const warnings = new Set([...migrations.apply, ...migrations.revert].flatMap(({ warnings }) => warnings));
  const told = findings.filter(({ verdict }) => verdict === "note").map(({ message }) => message);
  return [...new Set([...notes, ...told])].filter((text) => !saidElsewhere.test(text) && !warnings.has(text));
}

function historyOf({ history: { rows }, leaving }: MigrationsOutlook): AppliedRevision[] {
  return rows.map(({ name, appliedAt, appliedBy, milliseconds, baseline }) => ({
    name,
    appliedAt: appliedAt.toISOString(),
    appliedBy,
    milliseconds,
    baseline,
    reverted: leaving.includes(name),
  }));
}

function assemble(
  { facts, recorded, now }: PlanInput,
  engine: EnginePreview,
  config: StackConfig,
  found: Read,
): Omit<Plan, "dump" | "restore" | "cutover"> {
  const { migrations, rights, next, previous } = found;
  const differences = { next: next?.differences ?? [], previous: (previous ?? next)?.differences ?? [] };
  const ground = {
    config,
    previous: recorded.rights,
    steps: engine.steps,
    differences,
    objects: next?.objects,
    toCome: migrations.toCome,
  };
  const roles = plannedRoles(ground);
  const rightsStatements = rights?.statements ?? [];
  const resources = resourcesOf(engine.steps);
  const drift =
    previous === undefined
      ? []
      : [...publicDrift(rightsStatements), ...rightsDrift(previous.differences, differences.next)];
  return {
    version: planVersion,
    stack: facts.name,
    madeAt: now.toISOString(),
    server: { database: config.database.name, ...found.server },
    head: migrations.head,
    changes: resources.length > 0,
    refusals: engine.refusals,
    notes: notesOf(engine, migrations),
    roles,
    rightsStatements,
    drift,
    migrations: migrations.migrations,
    resources,
    untouched: { migrations: migrations.kept, roles: roles.filter(({ change }) => change === "none").length },
    history: historyOf(migrations),
  };
}

/** The plan of a stack that cannot be read at all: what its preview refuses is all that is known. */
async function refusedPlan({ facts, engine, now }: PlanInput, refusal: string): Promise<Plan> {
  const { refusals = [], notes = [] } = (await engine) ?? {};
  return {
    version: planVersion,
    stack: facts.name,
    madeAt: now.toISOString(),
    server: { ...nowhere, database: String(facts.outputs.database ?? ""), state: "unmade" },
    head: { from: null, to: null },
    changes: true,
    refusals: refusals.length > 0 ? refusals : [refusal],
    notes,
    ...{
      roles: [],
      rightsStatements: [],
      drift: [],
      dump: null,
      restore: null,
      cutover: null,
      resources: [],
    },
    migrations: { apply: [], revert: [], adopt: [], heldBack: [], applied: 0 },
    untouched: { migrations: 0, roles: 0 },
  };
}

async function readPlan(input: PlanInput, config: StackConfig): Promise<Plan> {
  const { facts } = input;
  const files = await readMigrations(projectPath(config.migrations.directory), config.migrations.directory);
  const found = await read(input, config, files);
  const target = found.server.state === "read" ? waysOf(facts, config) : undefined;
  const inside = target && { ...target.admin, database: config.database.name };
  const [engine, dump, restore] = await Promise.all([
    input.engine ?? firstPreview(config),
    plannedDump(config, facts.name, facts.outputs),
    plannedRestore(config, inside),
  ]);
  const cutover = plannedCutover(config, facts.outputs);
  const plan = { ...assemble(input, engine, config, found), dump, restore, cutover };
  if (input.pictures !== true) return plan;
  const { readPictures } = await import("./picture/picture.ts"); // brings PostgreSQL's parser with it
  return { ...plan, ...(await readPictures(inside, found.next, config, plan)) };
}

/**
 * What `up` would do to a stack's database: what Pulumi's preview says, beside what the live database, the configuration and the
 * migrations say of each change. Reads only. What `up` would refuse is part of the plan.
 */
export async function makePlan(input: PlanInput): Promise<Plan> {
  try {
    return await readPlan(input, parseValues(input.facts.config));
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof RefusedError)) throw error;
    return refusedPlan(input, error.message);
  }
}
