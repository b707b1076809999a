import { existsSync, readdirSync } from "node:fs";

/** At most so many characters of a description become part of a file's name. */
const longest = 60;

/** A description as part of a file's name: lower case, `_` for everything but letters and digits. */
export function slugOf(description: string): string {
  const plain = description.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const slug = plain.replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_+|_+$/g, "");
  return [...slug].slice(0, longest).join("").replace(/_+$/, "") || "revision";
}

function stamp(date: Date): string {
  return date.toISOString().replace(/\D/g, "").slice(0, 14);
}

/** The largest number with which a file of the folder begins, if that is a time as we write it. */
function newest(directory: string): string {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const stamps = names.flatMap((name) => name.match(/^(\d{14})[_.-].*\.(sql|ts)$/)?.[1] ?? []);
  return stamps.sort().at(-1) ?? "";
}

function dateOf(stamp: string): Date {
  return new Date(stamp.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/, "$1-$2-$3T$4:$5:$6Z"));
}

/**
 * Names for `count` new migrations, one second apart, behind all that the folder holds.
 * @param now the time that the first one carries, in UTC
 */
export function newFileNames(directory: string, description: string, count: number, now: Date): string[] {
  const last = dateOf(newest(directory));
  const first = Math.max(now.getTime(), Number.isNaN(last.getTime()) ? 0 : last.getTime() + 1000);
  const slug = slugOf(description);
  return Array.from({ length: count }, (_, index) => {
    const part = count === 1 ? "" : `_${index + 1}`;
    return `${stamp(new Date(first + index * 1000))}_${slug}${part}.sql`;
  });
}
