import type { Statement } from "./render.ts";

/** One ALTER TABLE statement with one subcommand. */
interface Alteration {
  /** Up to the subcommand, such as `ALTER TABLE "public"."t" `. */
  readonly head: string;
  readonly subcommand: string;
  /** The column or constraint that it is about. */
  readonly name: string;
  /** The pass in which PostgreSQL runs it: ALTER TABLE runs its subcommands by passes, not as they are written. */
  readonly pass: number;
  /** True where there is something to say about it, such as that it rewrites the table. */
  readonly said: boolean;
}

const quoted = '"(?:[^"]|"")*"';

/**
 * The subcommands that may stand in one statement, in the order of their passes (AlterTablePass in
 * src/backend/commands/tablecmds.c). Foreign keys are left out: they lock a second table.
 */
const passes: readonly RegExp[] = [
  new RegExp(
    `^(?:DROP COLUMN (?<name>${quoted})|DROP CONSTRAINT (?<key>${quoted})|ALTER COLUMN (?<column>${quoted}) DROP (?:DEFAULT|NOT NULL))$`,
  ),
  new RegExp(`^ALTER COLUMN (?<name>${quoted}) TYPE .*$`, "s"),
  new RegExp(`^ADD COLUMN (?<name>${quoted}) .*$`, "s"),
  new RegExp(`^ALTER COLUMN (?<name>${quoted}) SET (?:NOT NULL$|DEFAULT .*$)`, "s"),
  new RegExp(`^ADD CONSTRAINT (?<name>${quoted}) (?:CHECK|UNIQUE|PRIMARY KEY) .*$`, "s"),
  /^(?<name>(?:NO )?FORCE|ENABLE|DISABLE) ROW LEVEL SECURITY$/,
];

/** The pass of types: those that leave the rows alone are not joined with those that rewrite them. */
const types = 1;

/** The pass of constraints, which look at columns as the passes before have left them. */
const constraints = 4;

const statement = new RegExp(`^(?<head>ALTER TABLE ${quoted}\\.${quoted} )(?<subcommand>.*)$`, "s");

/** A constraint about which there is something to say is checked by a statement of its own. */
const isSaid = ({ comments }: Statement, pass: number) => pass === constraints && comments.length > 0;

function alterationIn(one: Statement): Alteration | undefined {
  const { sql, apart } = one;
  if (apart === true) return undefined;
  const { head, subcommand } = sql.match(statement)?.groups ?? {};
  if (head === undefined || subcommand === undefined) return undefined;
  for (const [pass, form] of passes.entries()) {
    const groups = subcommand.match(form)?.groups;
    if (groups !== undefined && !isSaid(one, pass))
      return {
        head,
        subcommand,
        name: groups.name ?? groups.column ?? groups.key ?? "",
        pass,
        said: one.comments.length > 0,
      };
  }
  return undefined;
}

/** True where a subcommand does the same behind others in one statement as it does in a statement of its own. */
function fitsBehind(next: Alteration, all: readonly Alteration[]): boolean {
  return all.every(({ head, name, pass, said }) => {
    if (pass === next.pass && pass === types && said !== next.said) return false;
    const apart = name !== next.name && (pass < constraints || next.pass >= constraints);
    return head === next.head && (pass < next.pass || apart);
  });
}

function joinedOf(
  run: readonly { readonly statement: Statement; readonly alteration: Alteration }[],
): Statement {
  const [first] = run;
  if (first === undefined || run.length === 1) return first?.statement as Statement;
  const subcommands = run.map(({ alteration }) => alteration.subcommand);
  const comments = [...new Set(run.flatMap((one) => one.statement.comments))];
  return { sql: `${first.alteration.head.trimEnd()}\n  ${subcommands.join(",\n  ")}`, comments };
}

/**
 * A script in which statements that alter the same table one after the other are one statement: the table is locked, and
 * rewritten where it must be, once. Pure.
 */
export function withAlterationsJoined(statements: readonly Statement[]): Statement[] {
  const joined: Statement[] = [];
  let run: { statement: Statement; alteration: Alteration }[] = [];
  const end = () => {
    if (run.length > 0) joined.push(joinedOf(run));
    run = [];
  };
  for (const one of statements) {
    const alteration = alterationIn(one);
    if (
      alteration === undefined ||
      !fitsBehind(
        alteration,
        run.map((member) => member.alteration),
      )
    )
      end();
    if (alteration === undefined) joined.push(one);
    else run.push({ statement: one, alteration });
  }
  end();
  return joined;
}
