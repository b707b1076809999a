import { rowsOf } from "../postgres/rows.ts";
import { UserError } from "../util/errors.ts";
import { withPairs } from "./compare/row-checksums.ts";
import { compareSchemas } from "./compare/schema.ts";
import { type SideSettings, withAdmin, withAdmins } from "./connections.ts";
import { holdCutoverLock } from "./lock.ts";
import { isNotOurs } from "./moved-objects.ts";
import { pausedSince } from "./pgbouncer/clients.ts";
import { findClientIssues } from "./pgbouncer/preflight.ts";
import { findPreflightIssues, joinIssues, missingAbilities } from "./preflight.ts";
import type { Log } from "./session.ts";
import type { CutoverSettings } from "./settings.ts";
import { readState, type TargetState } from "./state/state.ts";

/** What a stack's program asks about its cutover, before it declares anything. */
export interface CutoverCheck {
  /** Whether a switch was completed here. */
  readonly completed: boolean;
  /** The run that has last rehearsed or switched here; null where none has, or where nobody knows. */
  readonly attempt: string | null;
  /** What this cutover keeps the source's clients from writing by; null where nothing does. */
  readonly held: string | null;
  /** The definitions of a following target that are no longer the source's. */
  readonly outOfDate: readonly string[];
  /** What the run would refuse, a sentence each. Only a preview asks, as long as nothing was copied. */
  readonly refusals: readonly string[];
}

/** How a stack's program asks. */
export interface CheckOptions {
  /** Another run that is at work on the cutover is waited for: an update follows. */
  readonly wait: boolean;
  /** The run switches over; it does not rehearse only. */
  readonly switching: boolean;
}

/** Undefined where a server does not answer: before the first update there may be none. */
async function orUnknown<T>(work: () => Promise<T>): Promise<T | undefined> {
  return work().catch((error) => {
    if (error instanceof UserError) return undefined;
    throw error;
  });
}

/** A run whose engine was killed continues alone, and may freeze the source after this was asked: it is waited for. */
async function readTarget(
  { target }: CutoverSettings,
  log: Log,
  wait: boolean,
): Promise<TargetState | undefined> {
  return withAdmin(target, async (client) => {
    if (wait) await holdCutoverLock(client, log);
    return readState(client, "target");
  });
}

async function findHeld(settings: CutoverSettings): Promise<string | null> {
  const { source, stack } = settings;
  const place = `${source.host}:${source.port}`;
  try {
    const frozen = await withAdmin(source, (client) => readState(client, "source"));
    if (frozen?.holder === stack)
      return `the source on ${place} is frozen since ${frozen.frozenAt} for the cutover of "${stack}"`;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return `whether the source on ${place} is frozen cannot be seen: ${error.message}`;
  }
  return pausedSince(settings) === undefined ? null : `the clients of PgBouncer are paused for "${stack}"`;
}

/** Definitions are not replicated: a migration on the source leaves a following target behind. */
async function findOutOfDate(
  settings: CutoverSettings,
  state: TargetState | undefined,
): Promise<readonly string[]> {
  if (state?.replicating !== true || state.phase !== "filled") return [];
  return withPairs(settings, 1, ([pair]) =>
    pair === undefined ? Promise.resolve([]) : compareSchemas(pair[0], pair[1], settings),
  );
}

/** A switch that does not get through is rolled back: what stands in its way is told before the source is frozen. */
async function findRefusals(
  settings: CutoverSettings,
  state: TargetState | undefined,
  switching: boolean,
): Promise<readonly string[]> {
  if (state?.replicating === true || state?.phase === "active" || state?.phase === "kept") return [];
  return withAdmins([settings.source, settings.target], async ([source, target]) => {
    if (source === undefined || target === undefined) return [];
    if (switching) {
      const issues = joinIssues([
        await findPreflightIssues(source, target, settings),
        await findClientIssues(settings),
      ]);
      return refusalOf("The switch would not get through", issues.blocking);
    }
    if (settings.method === "replicate")
      return refusalOf(
        "Replication cannot start",
        (await findPreflightIssues(source, target, settings)).blocking,
      );
    return refusalOf("The source cannot be copied", (await missingAbilities(source, target, settings)).copy);
  });
}

const refusalOf = (what: string, reasons: readonly string[]) =>
  reasons.length === 0 ? [] : [`${what}:\n  ${reasons.join("\n  ")}`];

/** Looks at both sides; it changes nothing. */
export async function checkCutover(
  settings: CutoverSettings,
  log: Log,
  { wait, switching }: CheckOptions,
): Promise<CutoverCheck> {
  const state = await orUnknown(() => readTarget(settings, log, wait));
  const outOfDate = await orUnknown(() => findOutOfDate(settings, state));
  const held = await findHeld(settings);
  const refusals =
    wait || held !== null ? [] : await orUnknown(() => findRefusals(settings, state, switching));
  return {
    completed: state?.phase === "active",
    attempt: state?.attempt ?? null,
    held,
    outOfDate: outOfDate ?? [],
    refusals: refusals ?? [],
  };
}

const followers = `SELECT obj_description(p.oid, 'pg_publication') AS stack FROM pg_publication p
  JOIN pg_replication_slots s ON s.slot_name = p.pubname AND s.database = current_database()
  WHERE NOT (${isNotOurs("p.pubname")})`;

/**
 * What cutovers of other stacks mean for a database: one that follows it misses definitions until it copies again, and one
 * that is complete has left it behind.
 */
export async function checkAsSource(database: SideSettings): Promise<readonly string[]> {
  const found = await orUnknown(() =>
    withAdmin(database, async (client) => ({
      state: await readState(client, "source"),
      followers: await rowsOf<{ stack: string | null }>(client, followers),
    })),
  );
  if (found === undefined) return [];
  const { state } = found;
  const moved =
    state?.movedTo === undefined
      ? `This database is read-only since ${state?.frozenAt}, for the cutover of stack "${state?.holder}".`
      : `This database has moved to ${state.movedPlace ?? state.movedTo} by the cutover of stack "${state.holder}", and stays ` +
        `read-only since ${state.frozenAt}: migrations belong to stack "${state.holder}" now.`;
  return [
    ...(state === undefined ? [] : [moved]),
    ...found.followers.map(
      ({ stack }) =>
        `Stack "${stack}" follows this database by replication, which carries no definitions: after a migration here it copies ` +
        "again before it switches.",
    ),
  ];
}
