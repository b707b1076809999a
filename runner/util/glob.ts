/** Tells whether a pattern of `--ignore` fits a path: `*` is any text, without a dot it is a name in any schema. */
export function fits(pattern: string, path: string): boolean {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  const whole = new RegExp(`^${escaped}$`);
  return whole.test(pattern.includes(".") ? path : path.slice(path.indexOf(".") + 1));
}
