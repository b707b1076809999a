import type { StackConfig } from "../../config/parse.ts";
import { rightsCheckOf } from "../../config/rights-check.ts";
import { type ConnectionSettings, withClient } from "../../postgres/connection.ts";
import type { Review } from "../../roles/review/review.ts";
import type { Plan } from "../model.ts";
import { rightsMatrix } from "./matrix.ts";
import { withPending } from "./pending.ts";
import { readTables } from "./tables.ts";

/**
 * The parts of a plan that a page draws.
 * @param inside the administrator in the database; undefined where it could not be read, and only pending migrations are known
 * @param review who may do what now, against the configuration
 */
export async function readPictures(
  inside: ConnectionSettings | undefined,
  review: Review | undefined,
  config: StackConfig,
  { migrations, roles }: Pick<Plan, "migrations" | "roles">,
): Promise<Pick<Plan, "schema" | "matrix">> {
  const found = inside === undefined ? { tables: [], references: [] } : await withClient(inside, readTables);
  const schema = await withPending(found, migrations);
  if (review === undefined) return { schema };
  const declared = rightsCheckOf(config).rights;
  return { schema, matrix: rightsMatrix({ config, declared, review, planned: roles, schema }) };
}
