import { encodeId, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { identifier, qualified } from "../../../postgres/sql.ts";
import { setExtraOwner } from "../../catalog/extras/handler.ts";
import { plain } from "../../script/sql-text.ts";
import type { SchemaPair } from "../schema-pair.ts";

/** The kinds whose owner can be set, as ALTER … OWNER TO calls them. */
const words: Readonly<Record<string, string>> = {
  table: "TABLE",
  foreignTable: "FOREIGN TABLE",
  view: "VIEW",
  materializedView: "MATERIALIZED VIEW",
  sequence: "SEQUENCE",
  type: "TYPE",
  domain: "DOMAIN",
  collation: "COLLATION",
  function: "FUNCTION",
  procedure: "PROCEDURE",
  aggregate: "AGGREGATE",
};

/** The objects that a statement creates: a rebuilt enum is created by a statement that alters it. */
function createdBy({ sql, verb, produces, consumes }: Action): StableId[] {
  if (verb === "create" && sql.startsWith("CREATE ")) return [...produces];
  return verb === "alter" && sql.startsWith("CREATE TYPE ") ? consumes.slice(0, 1) : [];
}

function setOwner(id: StableId, owner: string): Action | undefined {
  const extra = setExtraOwner(id, owner);
  if (extra !== undefined) return { ...plain, sql: extra, verb: "alter", consumes: [id] };
  const word = words[id.kind];
  if (word === undefined || !("schema" in id) || !("name" in id) || id.schema === null) return undefined;
  const args = "args" in id ? `(${id.args.join(", ") || (id.kind === "aggregate" ? "*" : "")})` : "";
  const sql = `ALTER ${word} ${qualified(id.schema, id.name)}${args} OWNER TO ${identifier(owner)}`;
  return { ...plain, sql, verb: "alter", consumes: [id] };
}

/** The statements that give objects of a schema to their owners. */
export function ownerStatements(schema: FactBase, owners: ReadonlyMap<string, string>): string[] {
  return schema.facts().flatMap(({ id, payload }) => {
    const owner = payload.ownedBy == null ? owners.get(encodeId(id)) : undefined;
    return owner === undefined ? [] : (setOwner(id, owner)?.sql ?? []);
  });
}

/** True for a sequence that has its owner from its table. */
function followsTable(id: StableId, { to }: SchemaPair): boolean {
  return id.kind === "sequence" && to.get(id)?.payload.ownedBy != null;
}

/** A plan in which objects that the database had, and that are created again, keep their owners. Pure. */
export function withOwnersKept(actions: readonly Action[], pair: SchemaPair): readonly Action[] {
  const { owners } = pair;
  if (owners === undefined || owners.size === 0) return actions;
  return actions.flatMap((action) => {
    const set = createdBy(action).flatMap((id) => {
      const owner = owners.get(encodeId(id));
      return owner === undefined || followsTable(id, pair) ? [] : (setOwner(id, owner) ?? []);
    });
    return [action, ...set];
  });
}
