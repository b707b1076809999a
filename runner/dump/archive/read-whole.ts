import { readdir, stat } from "node:fs/promises";
import type { Programs } from "../../postgres/programs.ts";
import { type Checksum, checksumOf } from "../files/checksum.ts";
import type { Archive } from "./parser.ts";
import { damaged, readArchive, readContents } from "./read.ts";

/** A dump that was read from its first byte to its last. */
export interface Whole {
  readonly archive: Archive;
  readonly checksum: Checksum;
}

/**
 * Reads a dump from its first byte to its last. Throws UserError where it is damaged or cut short: its table of
 * contents alone would not show that.
 */
export async function readWhole(path: string, programs: Programs, signal: AbortSignal): Promise<Whole> {
  if (await isPlainDirectory(path)) return readPlainDirectory(path, programs, signal);
  const [archive, checksum] = await Promise.all([readArchive(path, programs, signal), checksumOf(path)]);
  return { archive, checksum };
}

/** True for a directory with nothing but uncompressed rows of tables, which can be read in one go with the checksum. */
async function isPlainDirectory(path: string): Promise<boolean> {
  if (!(await stat(path)).isDirectory()) return false;
  return (await readdir(path)).every((name) => /^(toc|\d+)\.dat$/.test(name));
}

async function readPlainDirectory(path: string, programs: Programs, signal: AbortSignal): Promise<Whole> {
  const counters = new Map<number, RowCounter>();
  const checksum = await checksumOf(path, (name) => {
    signal.throwIfAborted();
    const counter = new RowCounter();
    counters.set(Number.parseInt(name, 10), counter);
    return (piece) => counter.push(piece);
  });
  const known = ({ id }: { id: number }) => {
    const rows = counters.get(id)?.rows;
    if (rows === undefined) throw damaged(path, "the rows of a table have no end");
    return rows;
  };
  const contents = await readContents(path, programs, known, signal);
  const archive = contents
    ? { ...contents, textBytes: checksum.bytes }
    : await readArchive(path, programs, signal);
  return { archive, checksum };
}

const newline = 10;
const endOfRows = "\\.\n\n\n";

/**
 * Counts the rows of one table in the form that an uncompressed directory dump keeps them: a line each, then the
 * end mark. Rows are counted as bytes, without being decoded.
 */
export class RowCounter {
  #lines = 0;
  #last = "\n";

  /** Takes the next piece of the file. */
  push(piece: Buffer): void {
    for (let at = piece.indexOf(newline); at !== -1; at = piece.indexOf(newline, at + 1)) this.#lines++;
    this.#last = (this.#last + piece.toString("latin1", piece.length - endOfRows.length - 1)).slice(
      -endOfRows.length - 1,
    );
  }

  /** Undefined where the rows have no end. */
  get rows(): number | undefined {
    return this.#last === `\n${endOfRows}` ? this.#lines - 3 : undefined;
  }
}
