import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";

/** Kinds whose names are in pg_type, where no two of a schema are alike: an object waits for the one that frees its name. */
const typeNames = new Set(["table", "view", "materializedView", "foreignTable", "type", "domain"]);

const nameOf = (id: StableId) =>
  typeNames.has(id.kind) && "schema" in id && "name" in id ? JSON.stringify([id.schema, id.name]) : undefined;

/** Where each object is created, dropped and altered, by its encoded id. */
interface Places {
  readonly producers: ReadonlyMap<string, number>;
  readonly destroyers: ReadonlyMap<string, number>;
  readonly alterers: ReadonlyMap<string, readonly number[]>;
  /** Where a name is freed. */
  readonly freed: ReadonlyMap<string, number>;
}

function placesOf(actions: readonly Action[]): Places {
  const producers = new Map<string, number>();
  const destroyers = new Map<string, number>();
  const alterers = new Map<string, number[]>();
  const freed = new Map<string, number>();
  actions.forEach(({ verb, produces, destroys, consumes: [altered] }, place) => {
    for (const id of produces) if (!producers.has(encodeId(id))) producers.set(encodeId(id), place);
    for (const id of destroys) {
      destroyers.set(encodeId(id), place);
      const name = nameOf(id);
      if (name !== undefined) freed.set(name, place);
    }
    if (verb !== "alter" || altered === undefined) return;
    const key = encodeId(altered);
    alterers.set(key, [...(alterers.get(key) ?? []), place]);
  });
  return { producers, destroyers, alterers, freed };
}

/** What an action that creates objects waits for: all that they depend on, in the form that it has at the end. */
function neededBy({ produces }: Action, { producers, alterers, freed }: Places, to: FactBase): number[] {
  return produces.flatMap((id) => {
    const free = freed.get(nameOf(id) ?? "");
    const below = to.has(id) ? to.outgoingEdges(id) : [];
    const needed = below.flatMap((edge) => {
      const key = encodeId(edge.to);
      const producer = producers.get(key);
      return producer === undefined ? (alterers.get(key) ?? []) : [producer];
    });
    return free === undefined ? needed : [...needed, free];
  });
}

/** What an action that drops objects waits for: all that depends on them. */
function releasedBefore({ destroys }: Action, { destroyers, alterers }: Places, from: FactBase): number[] {
  return destroys.flatMap((id) => {
    if (!from.has(id)) return [];
    return from.incomingEdges(id).flatMap((edge) => {
      const key = encodeId(edge.from);
      const destroyer = destroyers.get(key);
      return destroyer === undefined ? (alterers.get(key) ?? []) : [destroyer];
    });
  });
}

/**
 * For each action of a plan, the actions before it that it waits for: what it uses is there, what it drops is used no more.
 * The plan's own order is taken for one that works.
 *
 * @param from the schema that the plan leads away from
 * @param to the schema that it leads to
 */
export function predecessorsOf(
  actions: readonly Action[],
  from: FactBase,
  to: FactBase,
): ReadonlySet<number>[] {
  const places = placesOf(actions);
  const found = actions.map((action, place) => {
    const used = action.consumes.flatMap((id) => places.producers.get(encodeId(id)) ?? []);
    const again = action.produces.flatMap((id) => places.destroyers.get(encodeId(id)) ?? []);
    const all = [...used, ...again, ...neededBy(action, places, to), ...releasedBefore(action, places, from)];
    return new Set(all.filter((other) => other < place));
  });
  actions.forEach(({ releases, consumes }, place) => {
    for (const key of [...releases, ...consumes].map(encodeId)) {
      const destroyer = places.producers.has(key) ? undefined : places.destroyers.get(key);
      if (destroyer !== undefined && destroyer > place) found[destroyer]?.add(place);
    }
  });
  return found;
}

/** A plan whose actions are joined and put into another order, with what each waits for. */
export class ActionGraph {
  readonly #predecessors: readonly Set<number>[];
  readonly #holders: number[];
  readonly #members: number[][];

  /** @param predecessors as `predecessorsOf` gives them */
  constructor(predecessors: readonly ReadonlySet<number>[]) {
    this.#predecessors = predecessors.map((places) => new Set(places));
    this.#holders = predecessors.map((_, place) => place);
    this.#members = predecessors.map((_, place) => [place]);
  }

  /** The places that an action, with all that was joined to it, waits for. */
  neededBy(place: number): number[] {
    const members = this.#members[place] ?? [];
    const needed = members.flatMap((member) => [...(this.#predecessors[member] ?? [])]);
    return [...new Set(needed.map((one) => this.#holders[one] ?? one))].filter((one) => one !== place);
  }

  /** True where an action waits for another one by way of others, so that both cannot be one. */
  waitsByOthers(place: number, other: number): boolean {
    const seen = new Set([place, other]);
    const open = this.neededBy(place).filter((one) => one !== other);
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      if (seen.has(one)) continue;
      seen.add(one);
      const needed = this.neededBy(one);
      if (needed.includes(other)) return true;
      open.push(...needed);
    }
    return false;
  }

  /** Makes an action a part of another one. */
  join(part: number, whole: number): void {
    this.#members[whole]?.push(...(this.#members[part] ?? []));
    for (const member of this.#members[part] ?? []) this.#holders[member] = whole;
    this.#members[part] = [];
  }

  /** Puts an action behind another one, unless that one waits for it. */
  follow(place: number, first: number): void {
    if (place === first || this.neededBy(first).includes(place) || this.waitsByOthers(first, place)) return;
    this.#predecessors[place]?.add(first);
  }

  /** True for an action that is a part of another one now. */
  isPart(place: number): boolean {
    return this.#holders[place] !== place;
  }

  /** All places in an order that works: the given one, but each behind what it waits for. */
  ordered(places: readonly number[]): number[] {
    const order = new Set<number>();
    const open = new Set<number>();
    const emit = (place: number) => {
      if (open.has(place)) return;
      open.add(place);
      for (const needed of this.neededBy(place).sort((one, other) => one - other)) emit(needed);
      order.add(place);
    };
    for (const place of places) if (!this.isPart(place)) emit(place);
    return [...order];
  }
}
