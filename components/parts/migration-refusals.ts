import type { MigrationSettings } from "../../runner/config/migrations.ts";
import type { MigrationFile } from "../../runner/migrations/files/types.ts";
import { isInBaseline } from "../../runner/migrations/plan/manifest.ts";
import type { CheckResult } from "../../runner/migrations/preview.ts";

/** What a stack asks for, beside what its database has. */
interface Asked {
  readonly files: readonly MigrationFile[];
  /** The files that `migrations.to` keeps. */
  readonly kept: readonly MigrationFile[];
  readonly settings: Pick<MigrationSettings, "to" | "baseline">;
  readonly protect: boolean;
  /** Names of the migrations that have a record in the stack's state. */
  readonly recorded: () => Promise<ReadonlySet<string>>;
}

/** What the runner finds that `up` would stop at. */
export function refusalsOf({ findings }: CheckResult): string[] {
  return findings.filter(({ verdict }) => verdict === "refuse").map(({ message }) => message);
}

/** Applied migrations, in the order of application, that the stack does not keep. */
function leavingOf({ applied }: CheckResult, { kept, settings }: Asked): string[] {
  const names = new Set(kept.map(({ name }) => name));
  return applied.filter((name) => !names.has(name) && !isInBaseline(name, settings.baseline));
}

/** Of those, what nobody asked to revert: its file is missing, and `migrations.to` names nothing that was applied before it. */
function missingOf(
  leaving: readonly string[],
  { applied }: CheckResult,
  { files, kept, settings }: Asked,
): string[] {
  const known = new Set(files.map(({ name }) => name));
  const keptNames = new Set(kept.map(({ name }) => name));
  const last =
    settings.to === "latest" ? applied.length : applied.findLastIndex((name) => keptNames.has(name));
  return leaving.filter((name) => !known.has(name) && applied.indexOf(name) <= last);
}

function ofProtected(missing: readonly string[]): string {
  return (
    `Applied in the database but not among the files: ${missing.join(", ")}. This stack is protected, so that a missing file alone reverts ` +
    "nothing. Either put the file back (another branch may have it), or set migrations.to to the revision to go back to, or run " +
    "./pgstack downgrade REV --stack STACK, which does so."
  );
}

function withoutRecord(names: readonly string[], files: readonly MigrationFile[]): string[] {
  const known = new Set(files.map(({ name }) => name));
  const [beyond, unknown] = [true, false].map((is) => names.filter((name) => known.has(name) === is));
  const refusal = (names: readonly string[] | undefined, where: string, wayOut: string) =>
    names === undefined || names.length === 0
      ? []
      : [
          `Applied in the database but ${where}, and not by this stack, which has no record of it: ${names.join(", ")}. ${wayOut}`,
        ];
  return [
    ...refusal(
      unknown,
      "not among the files",
      "Either put the file back (another branch may have it), or revert it with ./pgstack downgrade --url, which has its down script from the database.",
    ),
    ...refusal(
      beyond,
      "beyond the target",
      "Either raise migrations.to, or revert it with ./pgstack downgrade --url.",
    ),
  ];
}

/**
 * What stands against the migrations that would leave the stack: of a protected stack, those whose file alone is missing;
 * of any stack, those that it has no record of, since nothing would revert them.
 */
export async function leavingRefusals(found: CheckResult, asked: Asked): Promise<string[]> {
  const leaving = leavingOf(found, asked);
  if (leaving.length === 0) return [];
  const missing = asked.protect ? missingOf(leaving, found, asked) : [];
  if (missing.length > 0) return [ofProtected(missing)];
  const recorded = await asked.recorded();
  return withoutRecord(
    leaving.filter((name) => !recorded.has(name)),
    asked.files,
  );
}
