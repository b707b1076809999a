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
