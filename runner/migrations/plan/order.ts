import { RefusedError } from "../../util/errors.ts";

const form = /^(\d+)[_.-][\p{L}\p{N}_.-]+$/u;

const known = new Map<string, bigint | undefined>();

/** The number that a migration's name begins with, or undefined where it has none. */
export function revisionOf(name: string): bigint | undefined {
  if (!known.has(name)) known.set(name, readRevision(name)); // to sort a thousand names asks for each many times
  return known.get(name);
}

function readRevision(name: string): bigint | undefined {
  const digits = name.match(form)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
}

/** The one order of migrations: by the number of the revision (9 before 10), in any locale. */
export function compareNames(a: string, b: string): number {
  const [left, right] = [revisionOf(a) ?? 0n, revisionOf(b) ?? 0n];
  if (left !== right) return left < right ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function byPrefix(wanted: string, sequence: readonly string[]): number {
  const exact = sequence.findIndex((name) => name === wanted || name.match(form)?.[1] === wanted);
  if (exact >= 0) return exact;
  const found = wanted === "" ? [] : sequence.filter((name) => name.startsWith(wanted));
  if (found.length === 1) return sequence.indexOf(found[0] as string);
  if (found.length > 1)
    throw new RefusedError(`Revision "${wanted}" is not unique: ${found.join(", ")}. Give more of the name.`);
  const last = sequence.at(-1);
  throw new RefusedError(
    `There is no revision "${wanted}"; expected latest, 0, a number of steps such as -1, or the beginning of a ` +
      `migration's name${last === undefined ? " (there is no migration at all)" : `, such as ${last}`}.`,
  );
}

/**
 * How many migrations of `sequence` (in the order in which they were or will be applied) a target keeps.
 * @param to `latest`, `0`, steps from `present` (`-1`, `+2`), a revision, or the unique beginning of a name
 * @param present how many of the sequence steps count from (default: all of it)
 * Throws RefusedError where nothing, or more than one, fits.
 */
export function resolveTarget(to: string, sequence: readonly string[], present = sequence.length): number {
  if (to === "latest") return sequence.length;
  if (to === "0") return 0;
  if (!/^[-+]\d+$/.test(to)) return byPrefix(to, sequence) + 1;
  const kept = present + Number(to);
  if (kept < 0 || kept > sequence.length)
    throw new RefusedError(
      `There are not ${Math.abs(Number(to))} migrations to go ${to.startsWith("-") ? "back" : "forward"}: ${Number(to) < 0 ? present : sequence.length - present} found.`,
    );
  return kept;
}
