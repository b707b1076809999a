import { encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { identifier, literal, qualified } from "../../postgres/sql.ts";
import { type ColumnId, isColumn, pathOf } from "../catalog/managed-view.ts";
import type { SchemaPair } from "../plan/schema-pair.ts";
import type { Statement } from "./render.ts";

/** Sequences that start to feed a column which was there before continue from its largest value. */
export function sequenceStarts({ from, to }: SchemaPair, actions: readonly Action[]): Statement[] {
  const renamed = / RENAME TO /;
  const produced = actions.flatMap(({ sql, produces }) => (renamed.test(sql) ? [] : produces));
  const identities = produced.flatMap((id) => {
    if (!isColumn(id) || !from.has(id)) return [];
    const identity = to.get(id)?.payload.identity as { sequence?: object } | null | undefined;
    return identity?.sequence ? [{ kind: "sequence", ...identity.sequence } as StableId] : [];
  });
  const present = to.facts().filter(({ id }) => (isColumn(id) && from.has(id)) || wasColumn(from, id));
  const destroyed = new Set(actions.flatMap(({ destroys }) => destroys.map(encodeId)));
  return [...produced, ...identities].flatMap((id): Statement[] => {
    if (!("schema" in id) || id.schema === null) return [];
    const fed = columnFedBy(id, present, to);
    if (fed === undefined || (from.has(id) && !destroyed.has(encodeId(id)))) return [];
    const sequence = literal(qualified(id.schema, (id as { name: string }).name));
    const largest = `coalesce(max(${identifier(fed.name)}), 0) + 1`;
    return [
      {
        sql: `SELECT setval(${sequence}, ${largest}, false) FROM ${qualified(fed.schema, fed.table)}`,
        comments: [`rows that exist keep their numbers: the next one is above the largest ${pathOf(fed)}`],
      },
    ];
  });
}

/** True for a default of a column that was there before. */
function wasColumn(from: FactBase, id: StableId): boolean {
  return id.kind === "default" && from.has({ ...id, kind: "column" });
}

/** The column, of those that were there before, whose identity or default draws from a sequence. */
function columnFedBy(id: StableId, present: readonly Fact[], facts: FactBase): ColumnId | undefined {
  if (id.kind !== "sequence") return undefined;
  const name = JSON.stringify({ schema: id.schema, name: id.name });
  for (const fact of present) {
    const identity = fact.payload.identity as { sequence?: unknown } | null | undefined;
    if (isColumn(fact.id) && identity?.sequence != null && JSON.stringify(identity.sequence) === name)
      return fact.id;
    const draws =
      fact.id.kind === "default" &&
      facts
        .outgoingEdges(fact.id)
        .some(({ to }) => to.kind === "sequence" && to.schema === id.schema && to.name === id.name);
    if (draws) return { ...(fact.id as ColumnId), kind: "column" };
  }
  return undefined;
}

/** A sequence and its options: one of its own, or an identity column's. */
interface Sequence {
  readonly schema: string;
  readonly name: string;
  readonly increment: unknown;
}

/** The sequence whose options an action changes. */
function changedSequence({ sql }: Action, facts: FactBase): Sequence | undefined {
  const changes = (fact: Fact): Sequence[] => {
    const { id, payload } = fact;
    if (id.kind === "sequence" && sql.startsWith(`ALTER SEQUENCE ${qualified(id.schema, id.name)} `))
      return [{ schema: id.schema, name: id.name, increment: payload.increment }];
    if (!isColumn(id) || payload.identity == null) return [];
    const column = `ALTER TABLE ${qualified(id.schema, id.table)} ALTER COLUMN ${qualified(id.name)} `;
    const { sequence, options } = payload.identity as unknown as {
      sequence: { schema: string; name: string };
      options: { increment: unknown } | null;
    };
    return sql.startsWith(column) ? [{ ...sequence, increment: options?.increment }] : [];
  };
  return facts.facts().flatMap(changes)[0];
}

/**
 * PostgreSQL refuses a minimum above a sequence's present value, even where it was never used: a rising sequence is led
 * there first.
 */
export function raisedFloor(action: Action, facts: FactBase): Statement[] {
  const floor = action.sql.match(
    /^ALTER (?:SEQUENCE|TABLE) (?!.* ADD GENERATED ).* MINVALUE (-?\d+)(?!.*\bRESTART\b)/s,
  )?.[1];
  const sequence = floor === undefined ? undefined : changedSequence(action, facts);
  if (sequence === undefined || !(Number(sequence.increment) > 0)) return [];
  const name = qualified(sequence.schema, sequence.name);
  return [
    {
      sql: `SELECT setval(${literal(name)}, ${floor}, false) FROM ${name} WHERE last_value < ${floor}`,
      comments: [`a sequence below its new minimum continues from there`],
    },
  ];
}
