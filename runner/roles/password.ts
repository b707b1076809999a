import { randomInt } from "node:crypto";

/** Letters and digits that no shell, URL or file format takes for anything else. */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const length = 32;

/** A generated password, and the version of it that a stack asked for. */
export interface GeneratedPassword {
  readonly version: number;
  readonly password: string;
}

function previousPassword(output: string | undefined): GeneratedPassword | undefined {
  try {
    return JSON.parse(output ?? "");
  } catch {
    return undefined;
  }
}

/**
 * The password of this version: the one in `previous` (an earlier result, as JSON) where its version is the same,
 * else 32 new characters from a cryptographic source, about 190 bits.
 */
export function generatePassword(version: number, previous?: string): GeneratedPassword {
  const kept = previousPassword(previous);
  if (kept?.version === version && typeof kept.password === "string") return kept;
  const password = Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
  return { version, password };
}
