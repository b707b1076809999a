/** Those that are there. */
export function present<T>(...items: readonly (T | undefined)[]): T[] {
  return items.filter((item): item is NonNullable<typeof item> => item !== undefined);
}
