import { identifier, qualified } from "../../postgres/sql.ts";
import { concurrently, constraintByIndex, type IndexNode } from "./index-trees.ts";

/** One of the statements that take the place of a statement that would keep others waiting. */
export interface Gentle {
  readonly sql: string;
  readonly comments?: readonly string[];
  /** True for one that no transaction may hold. */
  readonly alone?: true;
}

const attach = (parent: IndexNode, child: IndexNode): Gentle => ({
  sql: `ALTER INDEX ${qualified(parent.schema, parent.name)} ATTACH PARTITION ${qualified(child.schema, child.name)}`,
});

/** The indexes of all partitions: of a table with rows built beside its writers, of a partitioned one of it alone. */
function below(parent: IndexNode, whole: (index: IndexNode) => Gentle[]): Gentle[] {
  return parent.attached.flatMap((child) => [
    ...(child.partitioned ? [...whole(child), ...below(child, whole)] : partition(child)),
    attach(parent, child),
  ]);
}

function partition(index: IndexNode): Gentle[] {
  const built = { sql: concurrently(index), alone: true as const };
  return index.constraint === undefined ? [built] : [built, { sql: constraintByIndex(index) }];
}

/** An index of a partitioned table: of it alone, of each partition without a lock that writers feel, and the two joined. */
export function indexOfPartitions(root: IndexNode): Gentle[] {
  const alone = (index: IndexNode): Gentle[] => [{ sql: index.definition }];
  return [...alone(root), ...below(root, alone)];
}

/** A unique constraint or primary key of a partitioned table, likewise. */
export function keyOfPartitions(root: IndexNode, columns: string): Gentle[] {
  const alone = ({ table, name }: IndexNode): Gentle[] => [
    { sql: `ALTER TABLE ONLY ${qualified(...table)} ADD CONSTRAINT ${identifier(name)} ${columns}` },
  ];
  return [...alone(root), ...below(root, alone)];
}
