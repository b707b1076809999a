import * as v from "valibot";
import { AddressedName, Identifier, RoleName, unique } from "./types.ts";

const schemaList = v.pipe(
  unique(Identifier),
  v.nonEmpty("at least one schema"),
  v.check(
    (names) =>
      !names.some((name) => name.startsWith("pg_") || name === "information_schema" || name === "pgstack"),
    "schemas that neither PostgreSQL (pg_…, information_schema) nor pgstack keeps for itself",
  ),
);

export const Database = v.strictObject({
  name: v.pipe(
    AddressedName,
    v.check(
      (name) => !name.includes("'"),
      "a name without ' (the postgresql provider could not drop the database)",
    ),
    v.check(
      (name) => !["postgres", "template0", "template1"].includes(name),
      "a database of the stack's own",
    ),
  ),
  owner: RoleName,
  schemas: v.optional(schemaList, ["public"]),
  extensions: v.optional(unique(Identifier), []),
});
/** The stack's database and what is made in it first: `pgstack:database`. */
export type DatabaseConfig = v.InferOutput<typeof Database>;
