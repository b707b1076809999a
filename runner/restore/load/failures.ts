import type { ArchiveEntry } from "../../dump/archive/parser.ts";
import { entryLabel } from "../../dump/archive/read.ts";

/** An object of a dump that could not be made. */
export interface Failure {
  /** Undefined where pg_restore names none, such as a lost connection. */
  readonly entry: ArchiveEntry | undefined;
  /** PostgreSQL's message with its detail and hint. */
  readonly message: string;
}

/** What may be missing while the rest is still right: it guards rows, speeds up reading them or describes them. */
const dispensable = new Set([
  "CHECK CONSTRAINT",
  "COMMENT",
  "CONSTRAINT",
  "FK CONSTRAINT",
  "INDEX",
  "INDEX ATTACH",
  "POLICY",
  "PUBLICATION",
  "PUBLICATION TABLE",
  "RULE",
  "STATISTICS",
  "TRIGGER",
]);

const lost =
  /server closed the connection|terminating connection|could not connect|No space left|out of memory|could not extend/;

/** True where the restore can continue without the object; false ends it. */
export function isDispensable({ entry, message }: Failure): boolean {
  return entry !== undefined && dispensable.has(entry.type) && !lost.test(message);
}

/** Reads pg_restore's standard error, line by line. */
export class FailureReader {
  readonly #byId: ReadonlyMap<number, ArchiveEntry>;
  readonly #failures: { entry: ArchiveEntry | undefined; lines: string[] }[] = [];
  #current: ArchiveEntry | undefined;
  #open = false;

  constructor(entries: readonly ArchiveEntry[]) {
    this.#byId = new Map(entries.map((entry) => [entry.id, entry]));
  }

  /** Takes a line; gives the failure that it begins, if it begins one. */
  line(line: string): Failure | undefined {
    const from = line.match(/^pg_restore: from TOC entry (\d+);/);
    if (from !== null) this.#current = this.#byId.get(Number(from[1]));
    const error = line.match(/^pg_restore: error: (?:could not execute query: )?(?:ERROR: +)?(.*)/);
    if (error !== null) {
      this.#failures.push({ entry: this.#current, lines: [error[1] ?? ""] });
      this.#open = true;
      return this.failures.at(-1);
    }
    if (/^(pg_restore: |Command was: )/.test(line)) this.#open = false;
    else if (this.#open && line.trim() !== "") this.#failures.at(-1)?.lines.push(line.trim());
    return undefined;
  }

  get failures(): Failure[] {
    return this.#failures.map(({ entry, lines }) => ({ entry, message: lines.join(" ") }));
  }
}

/** One failure for people: the object, then PostgreSQL's message. */
export function failureText({ entry, message }: Failure): string {
  return entry === undefined ? message : `${entryLabel(entry)}: ${message}`;
}
