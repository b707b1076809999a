import type { AlterTableStmt, Node, PartitionCmd } from "libpg-query";
import { identifier } from "../../postgres/sql.ts";
import { InvalidScriptError } from "../../postgres/sql-lexer.ts";
import type { ParsedStatement } from "../lint/parse.ts";

/** An index that is built or dropped without a lock that keeps writers out. */
export interface IndexName {
  /** The table's name for to_regclass, quoted; undefined for a dropped index. */
  readonly table?: string;
  /** Quoted, with its schema where the script gives one. */
  readonly sql: string;
  readonly name: string;
}

/**
 * What is to be done to keep count of a statement that commits by itself:
 * `atomic` can share a transaction with its count; `repeatable` may as well run twice; `opaque` may not, and whether it
 * ran cannot be seen afterwards.
 */
export type Step = ParsedStatement & { readonly replayed: boolean } & (
    | { readonly kind: "atomic" | "repeatable" | "opaque" }
    | { readonly kind: "create index" | "drop index"; readonly index: IndexName }
    | { readonly kind: "detach partition"; readonly partition: PartitionName }
  );

const quote = (parts: readonly (string | undefined)[]) =>
  parts
    .filter((part) => part !== undefined && part !== "")
    .map((part) => identifier(part as string))
    .join(".");

type Kind =
  | { kind: "atomic" | "repeatable" | "opaque" }
  | { kind: "create index" | "drop index"; index: IndexName }
  | { kind: "detach partition"; partition: PartitionName };

function createIndex(node: Extract<Node, { IndexStmt: unknown }>["IndexStmt"], at: number): Kind {
  const { idxname, relation } = node;
  if (idxname === undefined)
    throw new InvalidScriptError(
      "give the index a name: after a failure it could not be found without one",
      at,
    );
  return {
    kind: "create index",
    index: {
      name: idxname,
      sql: quote([relation?.schemaname, idxname]),
      table: quote([relation?.schemaname, relation?.relname]),
    },
  };
}

function dropIndex(objects: readonly Node[]): Kind {
  const list =
    (objects[0] as { List?: { items?: { String?: { sval?: string } }[] } } | undefined)?.List?.items ?? [];
  const parts = list.map((item) => item.String?.sval);
  return { kind: "drop index", index: { name: parts.at(-1) ?? "", sql: quote(parts) } };
}

const repeatable = ["VacuumStmt", "ClusterStmt", "ReindexStmt", "AlterSystemStmt", "CheckPointStmt"];
const opaque = [
  ...["CallStmt", "DoStmt", "CreatedbStmt", "DropdbStmt", "AlterDatabaseStmt", "CreateTableSpaceStmt"],
  ...["DropTableSpaceStmt", "CreateSubscriptionStmt", "AlterSubscriptionStmt", "DropSubscriptionStmt"],
];

function detachPartition({ relation, cmds }: AlterTableStmt): Kind | undefined {
  const [command] = (cmds ?? []) as { AlterTableCmd?: { def?: { PartitionCmd?: PartitionCmd } } }[];
  const detached = command?.AlterTableCmd?.def?.PartitionCmd;
  if (detached?.concurrent !== true) return undefined;
  const parent = quote([relation?.schemaname, relation?.relname]);
  const partition = quote([detached.name?.schemaname, detached.name?.relname]);
  return { kind: "detach partition", partition: { parent, partition } };
}

/** A comment before a statement that says that it may run a second time, and why. */
const repeatableMark = /^[ \t]*--[ \t]*repeatable:[ \t]*\S/m;

function kindOf(node: Node, at: number): Kind {
  if ("IndexStmt" in node && node.IndexStmt.concurrent === true) return createIndex(node.IndexStmt, at);
  if ("DropStmt" in node && node.DropStmt.concurrent === true) return dropIndex(node.DropStmt.objects ?? []);
  const detached = "AlterTableStmt" in node ? detachPartition(node.AlterTableStmt) : undefined;
  if (detached !== undefined) return detached;
  const [type = ""] = Object.keys(node);
  if (repeatable.includes(type)) return { kind: "repeatable" };
  return { kind: opaque.includes(type) ? "opaque" : "atomic" };
}

/**
 * Tells how each statement of a `transaction=off` script is kept count of. Throws InvalidScriptError.
 * @param text the script
 */
export function stepsOf(statements: readonly ParsedStatement[], text: string): Step[] {
  return statements.map((statement, index) => {
    const kind = kindOf(statement.node, statement.start);
    const before = text.slice(statements[index - 1]?.end ?? 0, statement.start);
    return {
      ...statement,
      replayed: "VariableSetStmt" in statement.node, // what it set was lost with the session
      ...(kind.kind === "opaque" && repeatableMark.test(before) ? { kind: "repeatable" } : kind),
    };
  });
}

/** A partition and the table that it belongs to, each quoted, with its schema where the script gives one. */
export interface PartitionName {
  readonly parent: string;
  readonly partition: string;
}
