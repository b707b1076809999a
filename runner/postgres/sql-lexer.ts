// The one reader of SQL's quotes and comments. PostgreSQL's own scanner (`scan` of libpg-query 18.1.5) cannot take its place: it fails,
// without a position, on the rows of COPY and on a quote that is left open, and reads 20 MB in 1.2 s instead of 3 ms.

/** One statement of a script, found as psql would find it. Offsets count UTF-16 units of the script. */
export interface ScannedStatement {
  /** Of its first character that is no comment. */
  readonly start: number;
  /** One past its last character, the semicolon left out. */
  readonly end: number;
  /** Its keywords and unquoted names outside brackets, in upper case (the first 40). */
  readonly words: readonly string[];
  /** Rows that follow a `COPY … FROM stdin`, without the closing `\.` line. */
  readonly copyData?: { readonly start: number; readonly end: number };
}

/** A comment that starts its line, of the form `-- name: …`. */
export interface ScannedComment {
  readonly start: number;
  readonly end: number;
}

/** A piece of SQL: names in quotes, and what no rewriting may touch (strings, bodies, comments). */
export interface Piece {
  readonly kind: "text" | "name" | "literal" | "comment";
  readonly text: string;
}

interface Mark {
  readonly kind: Exclude<Piece["kind"], "text">;
  readonly start: number;
  readonly end: number;
}

export interface ScannedScript {
  readonly statements: readonly ScannedStatement[];
  /** Line comments outside strings, quotes, block comments and COPY data. */
  readonly comments: readonly ScannedComment[];
  /** Lines of psql that carry no SQL (`\restrict`), to be blanked before the server sees the script. */
  readonly skipped: readonly ScannedComment[];
}

const boring = /[^'"$\-/\\;()\p{L}_\d]+/uy;
const word = /[\p{L}_][\p{L}\p{N}_$]*/uy;
const number = /\d[\w.]*/y;
const dollarTag = /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy;
const escapeStringEnd = /(?:[^'\\]|\\[\s\S]|'')*'/y;
/** A marker ends the script before it, and so its last statement, semicolon or not. */
const marker = /--[ \t]*migrate[ \t]*:/iy;
const copyEnd = /^\\\.[ \t]*$/gm;
const skippedCommand = /\\(?:un)?restrict\b[^\n]*/y;

/** Reads a script token by token; keeps what the statement at hand consists of. */
class Scanner {
  readonly statements: ScannedStatement[] = [];
  readonly comments: ScannedComment[] = [];
  readonly skipped: ScannedComment[] = [];
  /** Everything in quotes, and every comment, in order. */
  readonly marks: Mark[] = [];
  private readonly text: string;
  private at = 0;
  private start = -1;
  private end = 0;
  private words: string[] = [];
  private depth = 0;
  /** Depth of BEGIN ATOMIC and CASE in an SQL function's body, where a semicolon ends nothing. */
  private bodyDepth = 0;

  constructor(text: string) {
    this.text = text;
  }

  scan(): this {
    while (this.at < this.text.length) this.token();
    this.finishStatement();
    return this;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text)?.[0];
  }

  private token(): void {
    const two = this.text.slice(this.at, this.at + 2);
    if (two === "--") {
      this.lineComment();
      return;
    }
    if (two === "/*") {
      this.blockComment();
      return;
    }
    const skip = this.match(boring);
    if (skip !== undefined) {
      this.other(skip);
      return;
    }
    const name = this.match(word);
    if (name !== undefined) {
      this.name(name);
      return;
    }
    this.symbol(this.text.charAt(this.at));
  }

  private symbol(char: string): void {
    if (char === "'") {
      this.quoted("'", "string");
      return;
    }
    if (char === '"') {
      this.quoted('"', "quoted name");
      return;
    }
    if (char === ";") {
      this.semicolon();
      return;
    }
    if (char === "\\") {
      this.backslash();
      return;
    }
    const tag = char === "$" ? this.match(dollarTag) : undefined;
    if (tag !== undefined) {
      this.dollarQuoted(tag);
      return;
    }
    if (char === "(") this.depth++;
    if (char === ")") this.depth = Math.max(0, this.depth - 1);
    this.take((this.match(number) ?? char).length);
  }

  /** Counts `length` characters to the statement at hand. */
  private take(length: number): void {
    if (this.start < 0) this.start = this.at;
    this.at += length;
    this.end = this.at;
  }

  private other(text: string): void {
    const blank = text.length - text.trimStart().length;
    if (blank === text.length || this.start >= 0) {
      this.at += text.length;
      if (blank !== text.length) this.end = this.at - (text.length - text.trimEnd().length);
      return;
    }
    this.at += blank;
    this.take(text.trim().length);
  }

  private name(name: string): void {
    this.take(name.length);
    if (this.text.charAt(this.at) === "'" && /^e$/i.test(name)) {
      this.escapeString();
      return;
    }
    if (this.depth > 0) return;
    const upper = name.toUpperCase();
    this.trackBody(upper);
    if (this.words.length < 40) this.words.push(upper);
  }

  private trackBody(keyword: string): void {
    if (!/^CREATE (OR REPLACE )?(FUNCTION|PROCEDURE)\b/.test(this.words.slice(0, 4).join(" "))) return;
    if (keyword === "BEGIN" || (keyword === "CASE" && this.bodyDepth > 0)) this.bodyDepth++;
    else if (keyword === "END" && this.bodyDepth > 0) this.bodyDepth--;
  }

  private quoted(mark: string, what: string): void {
    const start = this.at;
    for (let from = start + 1; ; from += 2) {
      from = this.text.indexOf(mark, from);
      if (from < 0) throw new InvalidScriptError(`this ${what} is never closed`, start);
      if (this.text.charAt(from + 1) === mark) continue; // doubled, it stands for itself
      this.take(from + 1 - start);
      break;
    }
    this.mark(mark === '"' ? "name" : "literal", start);
  }

  private mark(kind: Mark["kind"], start: number): void {
    this.marks.push({ kind, start, end: this.at });
  }

  private escapeString(): void {
    const opened = this.at++;
    const rest = this.match(escapeStringEnd);
    if (rest === undefined) throw new InvalidScriptError("this string is never closed", opened);
    this.take(rest.length);
    this.mark("literal", opened - 1); // its E with it
  }

  private dollarQuoted(tag: string): void {
    const start = this.at;
    const close = this.text.indexOf(tag, start + tag.length);
    if (close < 0) throw new InvalidScriptError(`the text quoted by ${tag} is never closed`, start);
    this.take(close + tag.length - start);
    this.mark("literal", start);
  }

  private lineComment(): void {
    const newline = this.text.indexOf("\n", this.at);
    const end = newline < 0 ? this.text.length : newline;
    if (this.match(marker) !== undefined) this.finishStatement();
    this.comments.push({ start: this.at, end });
    this.marks.push({ kind: "comment", start: this.at, end });
    this.at = end;
  }

  private blockComment(): void {
    const start = this.at;
    const mark = /\/\*|\*\//g;
    mark.lastIndex = start;
    for (let depth = 0; ; ) {
      const found = mark.exec(this.text);
      if (found === null) throw new InvalidScriptError("this comment is never closed", this.at);
      depth += found[0] === "/*" ? 1 : -1;
      if (depth > 0) continue;
      this.at = mark.lastIndex;
      this.mark("comment", start);
      return;
    }
  }

  private semicolon(): void {
    if (this.depth > 0 || this.bodyDepth > 0) {
      this.take(1);
      return;
    }
    this.at++;
    this.finishStatement();
  }

  private finishStatement(): void {
    const { start, end, words } = this;
    if (start >= 0) {
      const data = /\bFROM STDIN\b/.test(words.join(" ")) && words[0] === "COPY" ? this.copyData() : {};
      this.statements.push({ start, end, words, ...data });
    }
    this.start = -1;
    this.words = [];
    this.depth = 0;
    this.bodyDepth = 0;
  }

  private copyData(): { copyData: { start: number; end: number } } {
    const newline = this.text.indexOf("\n", this.at);
    const start = newline < 0 ? this.text.length : newline + 1;
    copyEnd.lastIndex = start;
    const end = copyEnd.exec(this.text);
    if (end === null)
      throw new InvalidScriptError("the rows of this COPY are not closed by a line `\\.`", this.start);
    this.at = end.index + end[0].length;
    return { copyData: { start, end: end.index } };
  }

  private backslash(): void {
    const command = this.match(skippedCommand);
    if (command === undefined || this.start >= 0) {
      const found = this.text.slice(this.at, this.at + 20).match(/^\S+/)?.[0];
      throw new InvalidScriptError(
        `"${found}" is a command of psql, not SQL: take it out, or write what it does in SQL`,
        this.at,
      );
    }
    this.skipped.push({ start: this.at, end: this.at + command.length });
    this.at += command.length;
  }
}

/** Finds a script's statements and comments. Throws InvalidScriptError with the offset of what is wrong. */
export function scan(text: string): ScannedScript {
  return new Scanner(text).scan();
}

/**
 * Cuts SQL into pieces; joined again they are the same text. Throws InvalidScriptError as `scan` does.
 */
export function piecesOf(sql: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { kind, start, end } of new Scanner(sql).scan().marks) {
    if (start > at) pieces.push({ kind: "text", text: sql.slice(at, start) });
    pieces.push({ kind, text: sql.slice(start, end) });
    at = end;
  }
  if (at < sql.length) pieces.push({ kind: "text", text: sql.slice(at) });
  return pieces;
}

/** A script that cannot be read; `offset` is where, in characters of the script. */
export class InvalidScriptError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = "InvalidScriptError";
    this.offset = offset;
  }
}

/** The 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}
