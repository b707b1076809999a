import type { Fact, FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import pg from "pg";
import { isColumn } from "./managed-view.ts";
import type { Statement } from "./render.ts";
import { quoted } from "./sql-text.ts";

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
    if (id.kind === "sequence" && sql.startsWith(`ALTER SEQUENCE ${quoted(id.schema, id.name)} `))
      return [{ schema: id.schema, name: id.name, increment: payload.increment }];
    if (!isColumn(id) || payload.identity == null) return [];
    const column = `ALTER TABLE ${quoted(id.schema, id.table)} ALTER COLUMN ${quoted(id.name)} `;
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
  const name = quoted(sequence.schema, sequence.name);
  return [
    {
      sql: `SELECT setval(${pg.escapeLiteral(name)}, ${floor}, false) FROM ${name} WHERE last_value < ${floor}`,
      comments: [`a sequence below its new minimum goes on from there`],
    },
  ];
}
