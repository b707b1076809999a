const lengthOf = (type: string) => Number(type.match(/\((\d+)\)/)?.[1] ?? Number.POSITIVE_INFINITY);

/** A type's name without its length or precision: `timestamp with time zone` of `timestamp(3) with time zone`. */
const familyOf = (type: string) => type.replace(/\(\d+(?:,-?\d+)?\)/, "");

/** Types of which a greater length or precision holds every value as it is stored. */
const growing: readonly RegExp[] = [
  /^(?:character varying|text)$/,
  /^bit varying$/,
  /^time(?:stamp)? with(?:out)? time zone$/,
];

const precisionOf = (type: string) =>
  type
    .match(/^numeric\((\d+),(\d+)\)$/)
    ?.slice(1)
    .map(Number);

function numericGrows(old: string, type: string): boolean {
  const [before, after] = [precisionOf(old), precisionOf(type)];
  if (before === undefined || (after === undefined && type !== "numeric")) return false;
  const [digits = 0, scale] = after ?? [Number.POSITIVE_INFINITY, before[1]];
  return digits >= (before[0] ?? 0) && scale === before[1];
}

/**
 * True where a column's values are the new type's as they are stored: ALTER COLUMN TYPE changes the catalog alone, which is the form
 * `widen-column-type`. Both types as format_type writes them, such as `character varying(20)`.
 * https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
 */
export function isStoredAlike(old: string, type: string): boolean {
  if (numericGrows(old, type)) return true;
  const alike = growing.some((family) => family.test(familyOf(old)) && family.test(familyOf(type)));
  const same = familyOf(old) === familyOf(type) || growing[0]?.test(familyOf(type)) === true;
  return alike && same && lengthOf(old) <= lengthOf(type);
}
