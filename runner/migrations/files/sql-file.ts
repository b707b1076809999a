import { InvalidScriptError, lineAt, type ScannedScript, scan } from "../../postgres/sql-lexer.ts";
import { RefusedError } from "../../util/errors.ts";
import { checksum } from "./checksum.ts";
import { type Marker, readMarker } from "./marker.ts";
import type { MigrationFile } from "./types.ts";

const transactionControl = /^(BEGIN|COMMIT|ROLLBACK|END|ABORT|START TRANSACTION|PREPARE TRANSACTION)\b/;

function withoutUp({ statements }: ScannedScript): string {
  const missing = 'the line "-- migrate: up" is missing';
  return statements.length === 0 ? `nothing to run: the file holds no statement, and ${missing}` : missing;
}

function findMarkers(text: string, script: ScannedScript): [Marker, Marker] {
  const markers = script.comments
    .map((comment) => readMarker(text, comment))
    .filter((one) => one !== undefined);
  const [up, down, extra] = markers;
  if (up === undefined) throw new InvalidScriptError(withoutUp(script), 0);
  if (up.direction === "down")
    throw new InvalidScriptError('"-- migrate: down" comes before "-- migrate: up"', up.start);
  const repeated = down?.direction === "up" ? down : extra;
  if (repeated !== undefined)
    throw new InvalidScriptError(`a second "-- migrate: ${repeated.direction}" in one file`, repeated.start);
  if (down === undefined)
    throw new InvalidScriptError(
      'the line "-- migrate: down" is missing; where it cannot be reverted write "-- migrate: down irreversible"',
      text.length,
    );
  return [up, down];
}

function refuseTransactionControl(script: ScannedScript): void {
  for (const { words, start } of script.statements)
    if (transactionControl.test(words.slice(0, 2).join(" ")) && !/^BEGIN ATOMIC/.test(words.join(" ")))
      throw new InvalidScriptError(
        `${words[0]}: a migration runs in one transaction of its own, or, after the option transaction=off, ` +
          "each statement in one; take this statement out",
        start,
      );
}

function checkContent(script: ScannedScript, up: Marker, down: Marker): void {
  const within = (from: number, to: number) =>
    script.statements.find(({ start }) => start >= from && start < to);
  const early = within(0, up.start);
  if (early !== undefined)
    throw new InvalidScriptError('SQL before the line "-- migrate: up" would never run', early.start);
  if (within(up.end, down.start) === undefined)
    throw new InvalidScriptError("nothing to run: the up script holds no statement", up.start);
  const back = within(down.end, Number.POSITIVE_INFINITY);
  if (back === undefined && !down.irreversible)
    throw new InvalidScriptError(
      'nothing to run: the down script holds no statement; where it cannot be reverted write "-- migrate: down irreversible"',
      down.start,
    );
  if (back !== undefined && down.irreversible)
    throw new InvalidScriptError("an irreversible down script holds a statement", back.start);
}

function parse(text: string): Pick<MigrationFile, "up" | "down" | "checksum" | "upLine" | "downLine"> {
  const script = scan(text);
  const [up, down] = findMarkers(text, script);
  checkContent(script, up, down);
  refuseTransactionControl(script);
  return {
    up: text.slice(up.start, down.start).trimEnd(),
    down: down.irreversible ? null : text.slice(down.start).trimEnd(),
    checksum: checksum(text.slice(up.end, down.start)),
    upLine: lineAt(text, up.start),
    downLine: lineAt(text, down.start),
  };
}

/** Reads one `.sql` migration. Throws RefusedError that names file and line. */
export function parseSqlFile(text: string, name: string, file: string): MigrationFile {
  try {
    return { name, language: "sql", file, ...parse(text) };
  } catch (error) {
    if (!(error instanceof InvalidScriptError)) throw error;
    throw new RefusedError(`${file}:${lineAt(text, error.offset)}: ${error.message}`, { cause: error });
  }
}
