import { isNotSystemSchema } from "../postgres/sql.ts";
import { stateSchema } from "./state/state.ts";

/**
 * True for a schema whose objects move, as a condition on its name: not PostgreSQL's and not the cutover's own. Unlike
 * the schemas of `isUserSchema`, pgstack's own one moves: it holds the history of the migrations.
 *
 * @param name an SQL expression for the schema's name, such as `n.nspname`
 */
export function isMovedSchema(name: string): string {
  return `(${isNotSystemSchema(name)} AND ${name} <> '${stateSchema}')`;
}

/** Names that our publications, slots and subscriptions begin with: on no side are they anybody's objects. */
export const ownPrefix = "pgstack_";

/** True for a publication, slot or subscription that is not ours, as a condition on its name. */
export function isNotOurs(name: string): string {
  return `NOT starts_with(${name}, '${ownPrefix}')`;
}
