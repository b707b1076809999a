import type { MigrationSettings } from "../../config/migrations.ts";
import type { MigrationState, Plan } from "./plan.ts";

/** Something that a person should know before migrations run. */
export interface Finding {
  /** `refuse`: a run stops at it. */
  readonly verdict: "refuse" | "note";
  readonly message: string;
}

function names(states: readonly MigrationState[]): string {
  return states.map(({ name }) => name).join(", ");
}

function edited(states: readonly MigrationState[]): Finding[] {
  return states.map(({ name, file, row }) => ({
    verdict: "refuse",
    message:
      `Migration ${name} was edited after it was applied: the database has checksum ${row?.checksum.slice(0, 12)}, ` +
      `${file?.file} has ${file?.checksum.slice(0, 12)}. Either put the old text back and write a new migration, or, if the ` +
      `database is as the new text says, accept it with ./pgstack repair ${name}.`,
  }));
}

function renamed(unknown: readonly MigrationState[], plan: Plan): Finding[] {
  return unknown.flatMap(({ name, row }) => {
    const twin = plan.pending.find(({ checksum }) => checksum === row?.checksum);
    return twin === undefined
      ? []
      : [
          {
            verdict: "refuse",
            message: `${twin.file} has the script of ${name}, which is applied: it looks like a renamed file, and would run again. Give it its old name back.`,
          },
        ];
  });
}

/** Applied migrations that the caller reverts itself, by the end of their records; `any`: it looks after all of them. */
export type Leaving = ReadonlySet<string> | "any";

function applied(
  states: readonly MigrationState[],
  leaving: Leaving,
  where: string,
  wayOut: string,
): Finding[] {
  const found = states.filter(({ name }) => leaving !== "any" && !leaving.has(name));
  if (found.length === 0) return [];
  return [{ verdict: "refuse", message: `Applied in the database but ${where}: ${names(found)}. ${wayOut}` }];
}

const bringBack =
  "put the file back (another branch may have it), or revert it with ./pgstack downgrade --url, which has its down script from the database.";
const raise = "raise migrations.to, or revert it with ./pgstack downgrade --url.";

function outOfOrder(states: readonly MigrationState[], rule: MigrationSettings["outOfOrder"]): Finding[] {
  if (states.length === 0) return [];
  const head = `Older than what is applied already, and not applied: ${names(states)}.`;
  return rule === "apply"
    ? [{ verdict: "note", message: `${head} They are applied now, since outOfOrder is "apply".` }]
    : [
        {
          verdict: "refuse",
          message: `${head} Either give them a revision that is newer than the last applied one, or set outOfOrder: apply.`,
        },
      ];
}

function partial(states: readonly MigrationState[]): Finding[] {
  return states.map(({ name, row }) => ({
    verdict: "note",
    message: `Migration ${name} stopped after statement ${row?.statementsDone}; it continues from there.`,
  }));
}

/**
 * What is wrong, or worth knowing, of a plan.
 * @param leaving applied migrations that are about to be reverted, as their records leave the stack
 */
export function findingsOf(
  plan: Plan,
  settings: Pick<MigrationSettings, "outOfOrder">,
  leaving: Leaving,
): Finding[] {
  const having = (state: MigrationState["state"]) =>
    plan.states.filter((migration) => migration.state === state);
  return [
    ...edited(having("edited")),
    ...renamed(having("unknown"), plan),
    ...applied(having("unknown"), leaving, "not among the files", bringBack),
    ...applied(having("beyond target"), leaving, "beyond the target", raise),
    ...outOfOrder(having("out of order"), settings.outOfOrder),
    ...partial(having("partial")),
  ];
}
