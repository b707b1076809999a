/** Kinds of object that hold privileges. Tables are views and foreign tables too, functions are procedures too. */
export type ObjectKind = "database" | "schema" | "table" | "sequence" | "function";

/** What a role may do: read, or read and write rows; never define objects. */
export type Access = "readonly" | "readwrite";

/** What each kind of access means on each kind of object. */
export const rights: Readonly<Record<Access, Readonly<Record<ObjectKind, readonly string[]>>>> = {
  readonly: {
    database: ["CONNECT"],
    schema: ["USAGE"],
    table: ["SELECT"],
    sequence: ["SELECT"],
    function: [],
  },
  readwrite: {
    database: ["CONNECT"],
    schema: ["USAGE"],
    table: ["SELECT", "INSERT", "UPDATE", "DELETE"],
    sequence: ["SELECT", "USAGE"],
    function: ["EXECUTE"],
  },
};
