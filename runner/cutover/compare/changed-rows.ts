/** Keys of a table's rows, each the JSON list of its key's columns as text; or all of its rows. */
export type ChangedKeys = ReadonlySet<string> | "all";

/** Above this many keys of one table it is quicker, and needs less memory, to read it whole. */
const tooMany = 300_000;

/** Rows that are to be compared, by table (its name quoted and with its schema). */
export class ChangedRows {
  #tables = new Map<string, Set<string> | "all">();

  /** All rows of all tables. */
  static whole(tables: readonly { readonly name: string }[]): ChangedRows {
    const rows = new ChangedRows();
    for (const { name } of tables) rows.add(name, "all");
    return rows;
  }

  add(table: string, keys: ChangedKeys): void {
    if (keys === "all") this.#tables.set(table, "all");
    else for (const key of keys) this.addKey(table, key);
  }

  addKey(table: string, key: string): void {
    const keys = this.#tables.get(table);
    if (keys === "all") return;
    if (keys === undefined) this.#tables.set(table, new Set([key]));
    else if (keys.add(key).size > tooMany) this.#tables.set(table, "all");
  }

  /** Adds what `other` holds. */
  merge(other: ChangedRows): void {
    for (const [table, keys] of other.tables()) this.add(table, keys);
  }

  keysOf(table: string): ChangedKeys | undefined {
    return this.#tables.get(table);
  }

  tables(): Iterable<[string, ChangedKeys]> {
    return this.#tables;
  }
}
