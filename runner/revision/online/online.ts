import { encodeId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { identifier, qualified } from "../../postgres/sql.ts";
import { pathOf } from "../catalog/managed-view.ts";
import type { SchemaPair } from "../plan/schema-pair.ts";
import { everyRowMeets } from "../script/constraint-warnings.ts";
import { plain } from "../script/sql-text.ts";
import { existingTables, failuresOf } from "../script/warnings.ts";
import { concurrently, constraintByIndex, type IndexNode } from "./index-trees.ts";
import type { Gentle } from "./partitions.ts";
import type { OnlineAction, Step } from "./segments.ts";
import { type Ground, gentleStatements } from "./statements.ts";

/** The statements in place of an action: the first stands for it, since others follow from what it makes. */
function inPlaceOf(action: Action, statements: readonly Gentle[]): OnlineAction[] {
  return statements.map(({ sql, comments = [] }, index) => ({
    ...(index === 0 ? action : { ...plain, verb: "alter" as const }),
    sql,
    comments,
    transactionality: "nonTransactional",
    dataLoss: "none",
  }));
}

/** A name for an object that takes another one's name later: PostgreSQL's names have 63 bytes. */
function nameBeside(name: string): string {
  let short = name;
  while (Buffer.byteLength(short) > 59) short = short.slice(0, -1);
  return `${short}_new`;
}

const indexName = /^(CREATE (?:UNIQUE )?INDEX )(?:"(?:[^"]|"")*"|\S+)(?= ON )/;

/** The new index is built while the old one serves, and takes its name. */
function replacedIndex(index: IndexNode, comments: readonly string[]): Gentle[] {
  const { schema, name } = index;
  const beside = { ...index, name: nameBeside(name) };
  const definition = index.definition.replace(
    indexName,
    `$1${identifier(beside.name).replaceAll("$", "$$$$")}`,
  );
  const built: Gentle = { sql: concurrently({ definition }), comments, alone: true };
  if (index.constraint !== undefined) {
    const added = constraintByIndex(beside).split(` ADD CONSTRAINT ${identifier(beside.name)} `)[1];
    const head = `ALTER TABLE ${qualified(...index.table)}`;
    const swapped = `DROP CONSTRAINT IF EXISTS ${identifier(name)},\n  ADD CONSTRAINT ${identifier(name)} ${added}`;
    return [built, { sql: `${head}\n  ${swapped}` }];
  }
  return [
    built,
    { sql: `DROP INDEX CONCURRENTLY IF EXISTS ${qualified(schema, name)}`, alone: true },
    { sql: `ALTER INDEX ${qualified(schema, beside.name)} RENAME TO ${identifier(name)}` },
  ];
}

/** The plain index, or the key of one, that an action creates. */
function indexIn({ produces }: Action, { indexes }: Ground): IndexNode | undefined {
  const [id] = produces;
  if (id?.kind !== "index" && id?.kind !== "constraint") return undefined;
  const { schema, table, name } = id as { schema: string; table?: string; name: string };
  const index = indexes.get(qualified(schema, name));
  return index?.partitioned === false && (table === undefined || index.table[1] === table)
    ? index
    : undefined;
}

/** Where an index or key is dropped and created again, nothing is left for the drop to do. */
function withReplaced(
  steps: readonly Step[],
  ground: Ground,
  failuresFor: (action: Action) => readonly string[],
): Step[] {
  const result = [...steps];
  for (const [at, step] of steps.entries()) {
    const { action, online } = step;
    const index = online === undefined ? undefined : indexIn(action, ground);
    const key = action.produces[0] && encodeId(action.produces[0]);
    const before = steps
      .slice(0, at)
      .findIndex((one) => one.action.destroys.some((id) => encodeId(id) === key));
    const dropped = steps[before];
    if (
      index === undefined ||
      dropped === undefined ||
      !/^DROP INDEX | DROP CONSTRAINT "/.test(dropped.action.sql)
    )
      continue;
    result[before] = { ...dropped, online: [], replacedBy: action };
    result[at] = { ...step, online: inPlaceOf(action, replacedIndex(index, failuresFor(action))) };
  }
  return result;
}

/** A statement about an object that another one has made. */
const isAbout = /^(?:GRANT|REVOKE|COMMENT ON) |^ALTER .* OWNER TO /s;

/** What an action makes, and what that is part of: nobody may find the whole without the part. As encoded ids. */
function madeBy({ sql, produces, consumes }: Action, online: boolean, { to }: SchemaPair): string[] {
  const made = produces.flatMap((id) => {
    const isMissed = !online || (id.kind !== "index" && id.kind !== "constraint"); // without these nobody gets an error
    const parent = to.get(id)?.parent;
    return isMissed ? [encodeId(id), ...(parent === undefined ? [] : [encodeId(parent)])] : [];
  });
  return isAbout.test(sql) ? [...made, ...consumes.map(encodeId)] : made;
}

/**
 * A plan with what is done in place of statements that keep readers or writers waiting for long. Pure.
 * @param actions a plan from `ground.pair.from` to `ground.pair.to`
 */
export function onlineSteps(actions: readonly Action[], given: Omit<Ground, "existing" | "gone">): Step[] {
  const gone = new Set<string>();
  const ground = { ...given, existing: existingTables(actions, given.pair.from), gone };
  const { from, to } = ground.pair;
  const failuresFor = (action: Action) => failuresOf(action, everyRowMeets(action, from, to));
  const steps = actions.map((action): Step => {
    const gentle = gentleStatements(action, ground, failuresFor(action));
    for (const id of action.destroys) gone.add(pathOf(id));
    const makes = madeBy(action, gentle !== undefined, ground.pair);
    return gentle === undefined ? { action, makes } : { action, makes, online: inPlaceOf(action, gentle) };
  });
  return withReplaced(steps, ground, failuresFor);
}
