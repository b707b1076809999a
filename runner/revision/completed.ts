import type { Action } from "@supabase/pg-delta/plan";

const child = /^ALTER TABLE (.*) INHERIT (.*)$/s;
const creation = /^CREATE (?:UNLOGGED )?TABLE (.*?) \(.* INHERITS \(/s;

/** A catalog shows a partitioned table's index as one of that table alone; on all partitions is what was meant. */
function onPartitionsToo(action: Action): Action {
  return { ...action, sql: action.sql.replace(/^(CREATE (?:UNIQUE )?INDEX .*?) ON ONLY /s, "$1 ON ") };
}

/** The planner makes a table with its first parent; columns come from the others too, so it needs all at once. */
function withAllParents(actions: readonly Action[]): Action[] {
  const plain = (name: string) => name.replaceAll('"', "");
  const further = actions.filter(({ sql, verb }) => verb === "create" && child.test(sql));
  const taken = new Set<Action>();
  const complete = actions.map((action) => {
    const table = action.sql.match(creation)?.[1];
    const parents = further.filter(
      ({ sql }) => table !== undefined && plain(sql.match(child)?.[1] ?? "") === plain(table),
    );
    for (const one of parents) taken.add(one);
    const names = parents.map(({ sql }) => `, ${sql.match(child)?.[2]}`).join("");
    return names === ""
      ? action
      : { ...action, sql: action.sql.replace(/( INHERITS \([^)]*)\)/, `$1${names})`) };
  });
  return complete.filter((action) => !taken.has(action));
}

/** The planner knows no dependency on a single value of an enum: new values come before all that may use them. */
function newValuesFirst(actions: readonly Action[]): Action[] {
  const isNew = ({ sql }: Action) => / ADD VALUE /.test(sql) && sql.startsWith("ALTER TYPE ");
  return [...actions.filter(isNew), ...actions.filter((action) => !isNew(action))];
}

/** A plan with what its statements and their order leave out. Pure. */
export function completed(actions: readonly Action[]): Action[] {
  return newValuesFirst(withAllParents(actions.map(onPartitionsToo)));
}
