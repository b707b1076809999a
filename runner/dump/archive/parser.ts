import { type DumpHeader, readDumpHeader } from "../../postgres/dump-text.ts";

/** One object of a dump's table of contents, as pg_restore prints it. */
export interface ArchiveEntry extends DumpHeader {
  /** The number that pg_restore's --use-list goes by. */
  readonly id: number;
  /** The object's OID in the source; data has the OID of its table. */
  readonly oid: number;
  /** The SQL that makes it; empty for data. */
  readonly definition: string;
  /** Rows of a TABLE DATA entry. */
  readonly rows: number;
}

/** What a whole dump says and holds. */
export interface Archive {
  /** Version of the server that was dumped, such as "15.18". */
  readonly serverVersion: string;
  /** Version of the pg_dump that wrote it. */
  readonly programVersion: string;
  readonly encoding: string;
  readonly entries: readonly ArchiveEntry[];
  /** Length of the whole as a script, rows included: what it takes without compression. */
  readonly textBytes: number;
}

type Draft = { -readonly [Key in keyof ArchiveEntry]: ArchiveEntry[Key] } & { lines: string[] };

const entryStart = /^-- TOC entry (\d+) \(class \d+ OID (\d+)\)$/;
const newline = 10;
const endOfRows = Buffer.from("\n\\.\n");
const noRows = Buffer.from("\\.\n");

/**
 * Reads the script that `pg_restore --verbose --file=-` prints, as it streams: the table of contents with every
 * definition, and the number of rows of every table. Rows are counted as bytes, without being decoded.
 */
export class ArchiveParser {
  #rest: Buffer = Buffer.alloc(0);
  #inRows = false;
  #startOfRows = false;
  #entry: Draft | undefined;
  #entries: Draft[] = [];
  #versions = { server: "", program: "" };
  #encoding = "";
  #bytes = 0;

  /** Takes the next piece of the script. */
  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    let data: Buffer = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let more = true; more; ) {
      const used = this.#inRows ? this.#rows(data) : this.#text(data);
      more = used.more;
      data = data.subarray(used.bytes);
    }
    this.#rest = data;
  }

  /** The result. `complete` is false where the rows of a table have no end. */
  finish(): { archive: Archive; complete: boolean } {
    this.#close();
    const entries = this.#entries.map(({ lines, ...entry }) => ({
      ...entry,
      definition: lines.join("\n").trim(),
    }));
    const { server, program } = this.#versions;
    const versions = { serverVersion: server, programVersion: program };
    const archive = { ...versions, encoding: this.#encoding, entries, textBytes: this.#bytes };
    return { archive, complete: !this.#inRows };
  }

  /** Lines of text up to the start of rows. */
  #text(data: Buffer): { bytes: number; more: boolean } {
    let from = 0;
    for (let at = data.indexOf(newline); at !== -1; at = data.indexOf(newline, from)) {
      this.#line(data.toString("utf8", from, at));
      from = at + 1;
      if (this.#inRows) return { bytes: from, more: true };
    }
    return { bytes: from, more: false };
  }

  #line(line: string): void {
    const entry = this.#entry;
    if (line === "--") return;
    if (line.startsWith("-- ")) {
      this.#comment(line);
      return;
    }
    if (entry?.type === "TABLE DATA") {
      this.#inRows = this.#startOfRows = line.startsWith("COPY ") && line.endsWith(" FROM stdin;");
    } else if (entry !== undefined) {
      if (!entry.type.startsWith("BLOB")) entry.lines.push(line);
    } else {
      this.#encoding ||= line.match(/^SET client_encoding = '(.*)';$/)?.[1] ?? "";
    }
  }

  #comment(line: string): void {
    const start = line.match(entryStart);
    if (start !== null) {
      this.#close();
      this.#entry = {
        id: Number(start[1]),
        oid: Number(start[2]),
        type: "",
        schema: null,
        name: "",
        tablespace: null,
        definition: "",
        rows: 0,
        lines: [],
      };
      return;
    }
    if (this.#entry === undefined) {
      this.#version(line);
      return;
    }
    const named = this.#entry.type === "" ? readDumpHeader(line) : undefined;
    if (named !== undefined) Object.assign(this.#entry, named);
    else if (this.#entry.lines.length > 0) this.#entry.lines.push(line);
  }

  #version(line: string): void {
    this.#versions.server ||= line.match(/^-- Dumped from database version (\S+)/)?.[1] ?? "";
    this.#versions.program ||= line.match(/^-- Dumped by pg_dump version (\S+)/)?.[1] ?? "";
  }

  #close(): void {
    if (this.#entry !== undefined) this.#entries.push(this.#entry);
    this.#entry = undefined;
  }

  /** Counts lines up to the end of the rows; keeps back what may be a part of that end. */
  #rows(data: Buffer): { bytes: number; more: boolean } {
    if (this.#startOfRows) {
      if (data.length < noRows.length) return { bytes: 0, more: false };
      this.#startOfRows = false;
      if (data.subarray(0, noRows.length).equals(noRows)) {
        this.#inRows = false;
        return { bytes: noRows.length, more: true };
      }
    }
    const end = data.indexOf(endOfRows);
    const until = end === -1 ? Math.max(0, data.length - endOfRows.length + 1) : end + 1;
    (this.#entry as Draft).rows += countLines(data, until);
    if (end === -1) return { bytes: until, more: false };
    this.#inRows = false;
    return { bytes: end + endOfRows.length, more: true };
  }
}

function countLines(data: Buffer, until: number): number {
  let lines = 0;
  for (let at = data.indexOf(newline); at !== -1 && at < until; at = data.indexOf(newline, at + 1)) lines++;
  return lines;
}
