import { encodeId, type FactBase } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";

const notValid = / NOT VALID$/;
const deferrability = / (?:NOT DEFERRABLE|DEFERRABLE(?: INITIALLY (?:DEFERRED|IMMEDIATE))?)(?=$| NOT VALID$)/;

/** How pg-delta drops a constraint of a table or domain. */
const drop = /^(?<alter>ALTER .*) DROP CONSTRAINT (?<name>"(?:[^"]|"")*")$/s;

/** The subcommands that change a constraint's definition in place; undefined where PostgreSQL has none. */
function subcommands(before: string, after: string, name: string): string[] | undefined {
  const rest = (definition: string) => definition.replace(notValid, "").replace(deferrability, "");
  const deferred = (definition: string) => definition.match(deferrability)?.[0] ?? "";
  const changes = deferred(before) !== deferred(after);
  if (rest(before) !== rest(after) || (notValid.test(after) && !notValid.test(before))) return undefined;
  if (changes && !before.startsWith("FOREIGN KEY ")) return undefined;
  return [
    ...(changes ? [`ALTER CONSTRAINT ${name}${deferred(after) || " NOT DEFERRABLE"}`] : []),
    ...(notValid.test(before) && !notValid.test(after) ? [`VALIDATE CONSTRAINT ${name}`] : []),
  ];
}

/**
 * A plan that validates a constraint, or makes a foreign key deferrable, where it is: pg-delta drops the constraint and adds
 * it again, which locks the table for as long as all rows are read. Pure.
 */
export function withConstraintsChangedInPlace(
  actions: readonly Action[],
  from: FactBase,
  to: FactBase,
): Action[] {
  const changed = new Set<string>();
  const inPlace = actions.map((action): Action[] => {
    const id = action.verb === "drop" ? action.destroys.find(({ kind }) => kind === "constraint") : undefined;
    const { alter, name } = (id && action.sql.match(drop)?.groups) ?? {};
    const [before, after] = id === undefined ? [] : [from.get(id), to.get(id)];
    if (id === undefined || alter === undefined || name === undefined || before === undefined)
      return [action];
    const all = after && subcommands(String(before.payload.def), String(after.payload.def), name);
    if (all === undefined || all.length === 0) return [action];
    changed.add(encodeId(id));
    return all.map((subcommand) => ({
      ...action,
      sql: `${alter} ${subcommand}`,
      verb: "alter",
      destroys: [],
      consumes: [id],
    }));
  });
  return inPlace
    .flat()
    .filter(({ verb, produces }) => verb !== "create" || !produces.some((id) => changed.has(encodeId(id))));
}
