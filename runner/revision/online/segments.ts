import { encodeId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { isReturn } from "../rows/restore-rows.ts";
import { type Segment, segmentsOf } from "../script/segments.ts";

/** A statement that takes the place of another one that would keep others waiting for long. */
export interface OnlineAction extends Action {
  readonly comments: readonly string[];
}

/** Tells the statements of an online migration that a plan does not have. */
export function isOnline(action: Action): action is OnlineAction {
  return "comments" in action;
}

/** An action of a plan, and what does the same without keeping others waiting, where there is such a way. */
export interface Step {
  readonly action: Action;
  readonly online?: readonly OnlineAction[];
  /** What the action makes, and what that is part of (a view's privilege, a table's trigger), as encoded ids. */
  readonly makes: readonly string[];
  /** Of a drop that has nothing left to do online: the action that creates the object again. */
  readonly replacedBy?: Action;
}

/** `apart`: no transaction may hold it. `together`: others would miss what is dropped before and created after it. */
type Need = "apart" | "together" | "either";

/** The statements between which rows are away from their table, or columns have a type that lost its name. */
const holdsAside = (action: Action) =>
  isReturn(action) ||
  /^LOCK TABLE |^DROP TABLE pg_temp\.|^ALTER TYPE .* RENAME TO "[^"]*_old\d*"$|^DROP TYPE .*_old\d*"$/.test(
    action.sql,
  );

/** True for actions between the first and the last that take an object away and bring it back with all that is part of it. */
function gapsIn(steps: readonly Step[]): boolean[] {
  const inside = steps.map(() => false);
  const dropped = new Map<string, number>();
  const aside = steps.findIndex(({ action }) => holdsAside(action));
  for (const [index, { action, makes }] of steps.entries()) {
    const since = makes.flatMap((id) => dropped.get(id) ?? []);
    const from = Math.min(...since, holdsAside(action) ? aside : index);
    if (from < index || holdsAside(action)) inside.fill(true, from, index + 1);
    for (const id of action.destroys) dropped.set(encodeId(id), index);
  }
  return inside;
}

/** True where an action may as well come after others. */
function mayFollow({ produces, consumes, destroys }: Action, others: readonly Action[]): boolean {
  const keys = (ids: Action["produces"]) => new Set(ids.map(encodeId));
  const [made, used] = [keys(produces), keys(consumes)];
  return (
    destroys.length === 0 &&
    others.every(
      (other) =>
        !other.consumes.some((id) => made.has(encodeId(id))) &&
        !other.destroys.some((id) => made.has(encodeId(id)) || used.has(encodeId(id))),
    )
  );
}

/** The end of the gap that an index is in, or of the run between two gaps. */
function endOf(inside: readonly boolean[], at: number): number {
  const end = inside.indexOf(inside[at] !== true, at);
  return end < 0 ? inside.length : end;
}

/** True where a step in a gap can be done behind the gap, by its gentler way. */
function waits(steps: readonly Step[], inside: readonly boolean[], at: number): boolean {
  const rest = steps.slice(at + 1, endOf(inside, at)).filter(({ online }) => online === undefined);
  const action = steps[at]?.action;
  return (
    action !== undefined &&
    mayFollow(
      action,
      rest.map((step) => step.action),
    )
  );
}

/** The steps without the gentler ways of those that cannot wait for the end of their gap, nor of what these replace. */
function settled(steps: readonly Step[], inside: readonly boolean[]): Step[] {
  const stay = new Set<Action | undefined>();
  for (const [at, { action, online }] of steps.entries())
    if (inside[at] === true && online !== undefined && online.length > 0 && !waits(steps, inside, at))
      stay.add(action);
  return steps.map(({ online, replacedBy, ...step }) => {
    const isPlain =
      online === undefined || stay.has(step.action) || (replacedBy !== undefined && stay.has(replacedBy));
    return isPlain ? step : { ...step, online };
  });
}

interface Placed {
  readonly step: Step;
  readonly need: Need;
}

function placedAs(step: Step, inGap: boolean): Placed {
  if (step.online !== undefined) return { step, need: step.online.length > 0 ? "apart" : "either" };
  return { step, need: inGap ? "together" : "either" };
}

/** The steps, each with what it needs, and behind each gap what waited for its end. */
function placedSteps(steps: readonly Step[]): Placed[] {
  const inside = gapsIn(steps);
  const all = settled(steps, inside);
  const placed: Placed[] = [];
  for (let at = 0; at < all.length; ) {
    const end = endOf(inside, at);
    const run = all.slice(at, end).map((step) => placedAs(step, inside[at] === true));
    if (inside[at] !== true) placed.push(...run);
    else
      placed.push(
        ...run.filter(({ need }) => need === "together"),
        ...run.filter(({ need }) => need === "apart"),
      );
    at = end;
  }
  return placed;
}

const actionsOf = ({ action, online }: Step): readonly Action[] => online ?? [action];

/**
 * Cuts a plan into what no transaction may hold, so that no lock outlasts its statement, and what one transaction must hold,
 * so that nobody misses an object between its drop and its creation. Pure.
 * @returns undefined where no statement of the plan has a gentler way
 */
export function onlineSegments(steps: readonly Step[]): Segment[] | undefined {
  const placed = placedSteps(steps);
  if (placed.every(({ need }) => need !== "apart")) return undefined;
  const segments: { need: Need; actions: Action[] }[] = [];
  for (const { step, need } of placed) {
    const last = segments.at(-1);
    if (last !== undefined && (need === "either" || last.need === "either" || last.need === need)) {
      last.actions.push(...actionsOf(step));
      if (last.need === "either") last.need = need;
    } else segments.push({ need, actions: [...actionsOf(step)] });
  }
  return segments.flatMap(({ need, actions }) =>
    need === "apart" ? [{ actions, transactional: false }] : segmentsOf(actions),
  );
}
