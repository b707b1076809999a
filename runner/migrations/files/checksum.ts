import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import { RefusedError } from "../../util/errors.ts";

/** The offset of the first byte that is not UTF-8. */
function invalidOffset(bytes: Buffer): number {
  let at = 0;
  while (at < bytes.length) {
    const length = [1, 2, 3, 4].find((count) => isUtf8(bytes.subarray(at, at + count)));
    if (length === undefined) return at;
    at += length;
  }
  return at;
}

/**
 * The text of a migration file: UTF-8, without byte order mark, lines ended by LF.
 * Throws RefusedError that names file and offset for any other encoding.
 */
export function decode(bytes: Buffer, file: string): string {
  const mark = bytes.subarray(0, 2).toString("hex");
  if (mark === "fffe" || mark === "feff")
    throw new RefusedError(`${file}: offset 0: the file is UTF-16; save it as UTF-8`);
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw new RefusedError(`${file}: offset ${nul}: a NUL byte; save the file as UTF-8 text`);
  if (!isUtf8(bytes))
    throw new RefusedError(
      `${file}: offset ${invalidOffset(bytes)}: a byte that is not UTF-8; save the file as UTF-8`,
    );
  return bytes
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .replaceAll("\r\n", "\n");
}

/** SHA-256 of a script in hex, blind to trailing blanks and to blank lines around it. */
export function checksum(script: string): string {
  const plain = script.replace(/[ \t\r\f]+$/gm, "").replace(/^\n+|\n+$/g, "");
  return hash("sha256", plain);
}

/** SHA-256 in hex of a script as it is stored. */
export function sumOf(script: string): string {
  return hash("sha256", script);
}
