const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** PostgreSQL keeps its timeouts in an int of milliseconds. */
const longest = 2_147_483_647;

/**
 * Milliseconds of a duration as PostgreSQL writes it (`2s`; a bare number is milliseconds), or undefined where it is none, or too long
 * for a setting. https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES
 */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit = "ms"] = text.match(/^(\d+)\s*(ms|s|min|h|d)?$/) ?? [];
  if (amount === undefined) return undefined;
  const value = Number(amount) * (units[unit] ?? 1);
  return value <= longest ? value : undefined;
}
