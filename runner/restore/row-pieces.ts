import { open } from "node:fs/promises";

/** What ends the rows in a data file of an uncompressed directory dump. */
export const endOfRows = "\\.\n\n\n";

const pieceBytes = 1 << 19;
const newline = 10;

/** True for a data file that ends as COPY's rows do; one with INSERT statements does not. */
export async function holdsRows(path: string): Promise<boolean> {
  await using file = await open(path);
  const { size } = await file.stat();
  const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, Math.max(0, size - 6));
  return buffer.toString("latin1", 0, bytesRead).endsWith(endOfRows);
}

/**
 * The rows of a data file in pieces of whole rows, without the end mark. A row is a line in COPY's text form; one that
 * is longer than a piece makes the pieces grow.
 */
export async function* rowPieces(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  await using file = await open(path);
  let left = (await file.stat()).size - endOfRows.length;
  let rest: Buffer = Buffer.alloc(0);
  while (left > 0) {
    signal.throwIfAborted();
    const piece = Buffer.allocUnsafe(rest.length + Math.min(left, Math.max(pieceBytes, rest.length)));
    rest.copy(piece);
    const { bytesRead } = await file.read(piece, rest.length, piece.length - rest.length);
    if (bytesRead === 0) throw new Error(`${path} has become shorter`);
    left -= bytesRead;
    const read = piece.subarray(0, rest.length + bytesRead);
    const end = read.lastIndexOf(newline) + 1;
    if (end > 0) yield read.subarray(0, end);
    rest = read.subarray(end);
  }
}
