import type { Plan, Standing } from "./plan.ts";
import type { MigrationSettings } from "./settings.ts";

/** Something that a person should know before migrations run. */
export interface Finding {
  /** True where `up` refuses to go on. */
  readonly refused: boolean;
  readonly message: string;
}

function names(standings: readonly Standing[]): string {
  return standings.map(({ name }) => name).join(", ");
}

function edited(standings: readonly Standing[]): Finding[] {
  return standings.map(({ name, file, row }) => ({
    refused: true,
    message:
      `Migration ${name} was edited after it was applied: the database has checksum ${row?.checksum.slice(0, 12)}, ` +
      `${file?.file} has ${file?.checksum.slice(0, 12)}. Either put the old text back and write a new migration, or, if the ` +
      `database is as the new text says, accept it with ./pgstack repair ${name}.`,
  }));
}

function renamed(unknown: readonly Standing[], plan: Plan): Finding[] {
  return unknown.flatMap(({ name, row }) => {
    const twin = plan.pending.find(({ checksum }) => checksum === row?.checksum);
    return twin === undefined
      ? []
      : [
          {
            refused: true,
            message: `${twin.file} has the script of ${name}, which is applied: it looks like a renamed file, and would run again. Give it its old name back.`,
          },
        ];
  });
}

/** Those that the stack is not about to revert itself; `leaving` undefined: nobody knows which those are. */
function staying(
  standings: readonly Standing[],
  leaving: ReadonlySet<string> | undefined,
): readonly Standing[] {
  return standings.filter(({ name }) => leaving?.has(name) !== true);
}

function stackReverts(leaving: ReadonlySet<string> | undefined): string {
  return leaving === undefined
    ? " Those that the stack has a record of are reverted by it, and need nothing."
    : "";
}

function unknown(standings: readonly Standing[], leaving: ReadonlySet<string> | undefined): Finding[] {
  const foreign = staying(standings, leaving);
  if (foreign.length === 0) return [];
  return [
    {
      refused: true,
      message:
        `Applied in the database but not among the files: ${names(foreign)}. Put the files back (another branch may have them), ` +
        `or take them back with ./pgstack downgrade, which has their down scripts from the database.${stackReverts(leaving)}`,
    },
  ];
}

function beyondTarget(standings: readonly Standing[], leaving: ReadonlySet<string> | undefined): Finding[] {
  const ahead = staying(standings, leaving);
  if (ahead.length === 0) return [];
  return [
    {
      refused: true,
      message:
        `Applied in the database but beyond the target: ${names(ahead)}. Raise migrations.to, or take them back ` +
        `with ./pgstack downgrade --url.${stackReverts(leaving)}`,
    },
  ];
}

function outOfOrder(standings: readonly Standing[], rule: MigrationSettings["outOfOrder"]): Finding[] {
  if (standings.length === 0) return [];
  const head = `Older than what is applied already, and not applied: ${names(standings)}.`;
  return rule === "apply"
    ? [{ refused: false, message: `${head} They are applied now, since outOfOrder is "apply".` }]
    : [
        {
          refused: true,
          message: `${head} Either give them a revision that is newer than the last applied one, or set outOfOrder: apply.`,
        },
      ];
}

function partial(standings: readonly Standing[]): Finding[] {
  return standings.map(({ name, row }) => ({
    refused: false,
    message: `Migration ${name} stopped after statement ${row?.statementsDone}; it goes on from there.`,
  }));
}

/**
 * What is wrong, or worth knowing, of a plan.
 * @param leaving applied migrations that are about to be reverted, as their records leave the stack; undefined at a preview,
 * which cannot know them
 */
export function findingsOf(
  plan: Plan,
  settings: Pick<MigrationSettings, "outOfOrder">,
  leaving: ReadonlySet<string> | undefined,
): Finding[] {
  const having = (state: Standing["state"]) => plan.standings.filter((standing) => standing.state === state);
  return [
    ...edited(having("edited")),
    ...renamed(having("unknown"), plan),
    ...unknown(having("unknown"), leaving),
    ...beyondTarget(having("beyond target"), leaving),
    ...outOfOrder(having("out of order"), settings.outOfOrder),
    ...partial(having("partial")),
  ];
}
