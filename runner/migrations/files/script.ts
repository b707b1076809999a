import { lineAt, type ScannedStatement, scan } from "../../postgres/sql-lexer.ts";
import { type Marker, readMarker } from "./marker.ts";
import type { SectionOptions } from "./types.ts";

/** A script ready to be sent: the psql lines in it are blank, its offsets and lines as they were. */
export interface Script {
  readonly text: string;
  readonly options: SectionOptions;
  readonly statements: readonly ScannedStatement[];
  /** How a line of the text is called in messages. */
  readonly placeOf: (offset: number) => string;
}

/** Where a script comes from. */
export interface Origin {
  /** The file, or what the script is called where there is none. */
  readonly label: string;
  /** The line on which it begins there. */
  readonly firstLine: number;
}

/** Reads one direction of a migration, marker line and all. */
export function readScript(section: string, origin: Origin): Script {
  const found = scan(section);
  const markers = found.comments.map((comment) => readMarker(section, comment));
  const marker = markers.find((one): one is Marker => one !== undefined);
  let text = section;
  for (const { start, end } of found.skipped)
    text = text.slice(0, start) + " ".repeat(end - start) + text.slice(end);
  return {
    text,
    options: marker?.options ?? { transaction: true },
    statements: found.statements,
    placeOf: (offset) => `${origin.label}:${lineAt(text, offset) + origin.firstLine - 1}`,
  };
}

/** Part of a script that goes to the server in one message: its rows, if any, belong to its last statement. */
export interface Segment {
  readonly statements: readonly ScannedStatement[];
  readonly start: number;
  readonly end: number;
  readonly copyData?: string;
}

/** Cuts a script behind every `COPY … FROM stdin`. */
export function segmentsOf({ text, statements }: Pick<Script, "text" | "statements">): Segment[] {
  const segments: Segment[] = [];
  let open: ScannedStatement[] = [];
  const close = (copyData?: string) => {
    const [first, last] = [open[0], open.at(-1)];
    if (first === undefined || last === undefined) return;
    const rows = copyData === undefined ? {} : { copyData };
    segments.push({ statements: open, start: first.start, end: last.end, ...rows });
    open = [];
  };
  for (const statement of statements) {
    open.push(statement);
    const { copyData } = statement;
    if (copyData !== undefined) close(text.slice(copyData.start, copyData.end));
  }
  close();
  return segments;
}
