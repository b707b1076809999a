import { diff } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { withoutMark } from "../catalog/extras/rebuild.ts";
import { makingVirtual, onAllEqualKeys, onPartitionsToo } from "../catalog/normalize.ts";
import { withRowsKept } from "../rows/preserve-rows.ts";
import { withAttributesInOrder, withPersistenceInOrder } from "./order/action-order.ts";
import { withKeysDroppedAlong } from "./order/dropped-tables.ts";
import {
  defaultsAfterRenames,
  freeNamesFirst,
  renamesInFront,
  withNamesAside,
} from "./order/name-conflicts.ts";
import { withWholeTables } from "./order/whole-tables.ts";
import { plannedChanges, plannedCreation } from "./pg-delta.ts";
import type { Draft, Pass } from "./schema-pair.ts";
import { withCollatedTypes } from "./schemas/collations.ts";
import { withoutDropCycles } from "./schemas/drop-cycles.ts";
import { withSilentRenames } from "./schemas/equal-renames.ts";
import { withoutLast, withoutRebuilt } from "./schemas/rebuilt-objects.ts";
import {
  newValuesFirst,
  replicaIdentityLast,
  withAllParents,
  withRepeatedKeysApart,
} from "./statements/complete-actions.ts";
import { withConstraintsChangedInPlace } from "./statements/constraints.ts";
import { withGrantsOfDifferences } from "./statements/grants.ts";
import { withoutData } from "./statements/materialized-views.ts";
import { withNotNullSettled } from "./statements/not-null.ts";
import { withOwnersKept } from "./statements/owners.ts";
import { withMembersAlone, withMembersDroppedAlong } from "./statements/publications.ts";
import { withRebuiltTypesComplete } from "./statements/rebuilt-types.ts";
import { unloggedLikeItsTable, withPlainOptions } from "./statements/sequences.ts";
import { withExpressionsDropped, withTypesChangedOnce } from "./statements/type-changes.ts";

/** A pass that changes statements alone. */
const onActions =
  (change: (actions: readonly Action[], draft: Draft) => readonly Action[]) =>
  (draft: Draft): Draft => ({ ...draft, actions: change(draft.actions, draft) });

const onEach = (change: (action: Action, draft: Draft) => Action) =>
  onActions((actions, draft) => actions.map((action) => change(action, draft)));

/** What is done to the schemas before pg-delta sees them. */
const schemaPasses: readonly Pass[] = [
  {
    name: "equal keys",
    run: (draft) => ({ ...draft, from: onAllEqualKeys(draft.from), to: onAllEqualKeys(draft.to) }),
    reason:
      "A foreign key depends on one of several keys of the same columns, whichever PostgreSQL met first. A copy may have met another one.",
    upstream:
      "take a foreign key's referenced columns for its dependency, not the index that PostgreSQL chose",
  },
  {
    name: "collations",
    run: (draft) => {
      const [from, to] = withCollatedTypes(draft.from, draft.to);
      return { ...draft, from, to, compared: from, present: from };
    },
    after: ["equal keys"],
    reason:
      "pg-delta drops a column that gets another collation, and forgets the collation where the type changes.",
    upstream: "change a column's collation by ALTER COLUMN … TYPE … COLLATE",
  },
  {
    name: "dropped expressions",
    run: (draft) => {
      const { facts, actions } = withExpressionsDropped(draft.from, draft.to);
      return { ...draft, from: facts, present: facts, opening: actions };
    },
    after: ["collations"],
    reason: "A stored generated column that becomes a plain one keeps its values; pg-delta drops the column.",
    upstream: "write ALTER COLUMN … DROP EXPRESSION",
  },
  {
    name: "drop cycles",
    run: (draft) => {
      const { facts, actions } = withoutDropCycles(draft.from, draft.to);
      return { ...draft, from: facts, present: facts, opening: [...draft.opening, ...actions] };
    },
    after: ["dropped expressions"],
    reason:
      "A table and a routine that its default calls hold each other where the routine takes the table's row type: the default goes first.",
    upstream: "drop a default before its table where a dependency cycle needs it",
  },
  {
    name: "rebuilt objects",
    run: (draft) => {
      const { facts, gone } = withoutRebuilt(draft.from, draft.to);
      const drops = gone.size === 0 ? [] : plannedChanges(draft.from, facts, draft.pair.roles).actions;
      return { ...draft, from: facts, rebuilt: gone, drops };
    },
    after: ["drop cycles"],
    reason:
      "pg-delta drops and creates a table that changes its partitioning under the views, sequences and keys that depend on it.",
    upstream: "drop and create what depends on a replaced table with it",
  },
  {
    name: "equal renames",
    run: (draft) => {
      const { facts, actions } = withSilentRenames(draft.from, draft.to);
      return { ...draft, from: facts, renames: actions };
    },
    after: ["rebuilt objects"],
    reason:
      "An index, sequence or constraint that differs by its name alone is renamed; pg-delta builds it again.",
    upstream: "offer renames of indexes, and of all three where they wait for each other",
  },
  {
    name: "objects created last",
    run: (draft) => ({ ...draft, withoutLast: withoutLast(draft.present, draft.to) }),
    after: ["drop cycles"],
    reason:
      "PostgreSQL refuses to rewrite a table while another one has a column of its row type: such a table is created at the end.",
    upstream: "order a column of a row type behind the statements that rewrite that row type's table",
  },
];

/** Asks pg-delta for the statements. */
const planning: Pass = {
  name: "plan",
  run: (draft) => {
    const { from, to, compared, pair, withoutLast: most } = draft;
    const plan = plannedChanges(from, most.facts, pair.roles);
    const rest = most.gone.size === 0 ? undefined : plannedChanges(most.facts, to, pair.roles);
    const preamble = [...plan.preamble, ...(rest?.preamble ?? [])];
    return {
      ...draft,
      actions: plan.actions,
      last: rest?.actions ?? [],
      deltas: from === compared && rest === undefined ? plan.deltas : diff(compared, to),
      forwardReferences: preamble.some(({ name }) => name === "check_function_bodies"),
    };
  },
  after: schemaPasses.map(({ name }) => name),
  reason: "pg-delta finds the differences and writes a statement for each.",
};

/** Asks pg-delta for the statements that create a schema. */
const planningCreation: Pass = {
  name: "plan",
  run: (draft) => ({
    ...draft,
    actions: plannedCreation(draft.from, draft.to, draft.pair.roles).actions,
  }),
  reason: "pg-delta writes a statement for each object.",
  creates: true,
};

/** Gives pg-delta's statements the order in which a person would write them. */
const wholeTables: Pass = {
  name: "whole tables",
  run: (draft) => {
    const { actions, last, from, to, withoutLast: most } = draft;
    return {
      ...draft,
      actions: withWholeTables(actions, from, most.facts),
      last: withWholeTables(last, most.facts, to),
    };
  },
  after: ["plan"],
  reason:
    "pg-delta creates a table before the types and functions that its columns need, and adds these columns behind all others.",
  upstream: "create types and routines before tables, and write generated columns into CREATE TABLE",
  creates: true,
};

/** What pg-delta's statements lack for rows, renames and objects that are rebuilt. */
const changePasses: readonly Pass[] = [
  {
    name: "last actions",
    run: (draft) => ({ ...draft, actions: [...draft.actions, ...draft.last], last: [] }),
    after: ["whole tables"],
    reason: "The objects that are created last come behind all others.",
  },
  {
    name: "type changes",
    run: onActions((actions, { from, to }) => withTypesChangedOnce(actions, from, to)),
    after: ["last actions"],
    reason:
      "A default cannot be cast to a column's new type. pg-delta may set it before the new type is there, or twice.",
    upstream: "drop a default once before the change of the type and set it once after, identities likewise",
  },
  {
    name: "constraints in place",
    run: onActions((actions, { from, to }) => withConstraintsChangedInPlace(actions, from, to)),
    after: ["last actions"],
    reason:
      "A constraint becomes valid, or a foreign key deferrable, where it is; pg-delta drops it and reads all rows for a new one.",
    upstream: "write VALIDATE CONSTRAINT and ALTER CONSTRAINT",
  },
  {
    name: "rebuilt enums",
    run: onActions((actions, { from, to }) => withRebuiltTypesComplete(actions, from, to)),
    after: ["type changes"],
    reason:
      "An enum that loses a value is created again; pg-delta forgets its comment and privileges, and gives the old one a name of its own.",
    upstream: "copy comment, privileges and owner when an enum is replaced",
  },
  {
    name: "grants",
    run: onActions((actions, { from, to }) => withGrantsOfDifferences(actions, from, to)),
    after: ["rebuilt enums"],
    reason:
      "pg-delta revokes all privileges of a role before it grants those that stay, and a table's take its columns' along.",
    upstream: "grant and revoke the privileges that differ",
  },
  {
    name: "not null",
    run: onActions((actions, { from }) => withNotNullSettled(actions, from)),
    after: ["grants", "constraints in place"],
    reason:
      "A NOT NULL constraint becomes valid or inherited in place; pg-delta knows only whether a column is NOT NULL.",
    upstream: "know NOT NULL constraints of PostgreSQL 18",
  },
  {
    name: "rows",
    run: (draft) => {
      if (draft.rebuilt.size === 0) return draft;
      const { present, to, rebuilt } = draft;
      return { ...draft, ...withRowsKept(draft.drops, draft.actions, { from: present, to, gone: rebuilt }) };
    },
    after: ["not null"],
    reason: "A table that is dropped and created again keeps its rows.",
  },
  {
    name: "renames first",
    run: onActions((actions, { opening, drops, renames, pair }) => [
      ...opening,
      ...drops,
      ...renamesInFront(renames, actions, pair.from, pair.to),
    ]),
    after: ["rows"],
    reason: "Statements name objects as they are after the renames.",
  },
];

/** What pg-delta's statements and their order leave out. */
const completion: readonly Pass[] = [
  {
    name: "marks",
    run: onEach((action) => ({ ...action, sql: makingVirtual(withoutMark(action.sql)) })),
    after: ["plan"],
    reason:
      "Facts carry marks in their SQL for what pg-delta has no word for: virtual columns, and objects to be rebuilt.",
    upstream: "know virtual generated columns, and rebuild what depends on a dropped object",
    creates: true,
  },
  {
    name: "sequences",
    run: onEach((action, { pair }) =>
      unloggedLikeItsTable({ ...action, sql: withPlainOptions(action.sql) }, pair.to),
    ),
    after: ["plan"],
    reason: "pg-delta writes every option of a sequence, and creates a logged one for an unlogged table.",
    upstream: "leave out options with their default, and create a serial's sequence as its table is",
    creates: true,
  },
  {
    name: "indexes of partitions",
    run: onEach((action) => ({ ...action, sql: onPartitionsToo(action.sql) })),
    after: ["plan"],
    reason:
      "A catalog shows every index of a partitioned table as one of that table alone; its partitions have it too, unless it is marked.",
    upstream: "write CREATE INDEX without ONLY where the index is on all partitions",
    creates: true,
  },
  {
    name: "repeated keys",
    run: onActions((actions, { pair }) => withRepeatedKeysApart(actions, pair.to)),
    after: ["whole tables"],
    reason: "CREATE TABLE keeps one of several keys on the same columns.",
    upstream: "add all but the first key of the same columns by ALTER TABLE",
    creates: true,
  },
  {
    name: "materialized views",
    run: onActions((actions, { pair }) => withoutData(actions, pair.to)),
    after: ["plan"],
    reason: "A materialized view that is to hold no data is created WITH NO DATA: its query may take hours.",
    upstream: "read whether a materialized view is populated",
    creates: true,
  },
  {
    name: "all parents",
    run: onActions(withAllParents),
    after: ["whole tables"],
    reason: "Columns come from all parents, so CREATE TABLE … INHERITS names all of them.",
    upstream: "read all parents of a table, not the first alone",
    creates: true,
  },
  {
    name: "members of publications",
    run: onActions((actions, { pair }) => withMembersAlone(actions, pair.from, pair.to)),
    after: ["plan"],
    reason:
      "A publication that takes a table takes all tables too that inherit from it, unless ONLY says otherwise.",
    upstream: "write ONLY where a published table has children by inheritance",
    creates: true,
  },
  {
    name: "enum values first",
    run: onActions(newValuesFirst),
    after: ["renames first", "all parents"],
    reason: "pg-delta knows no dependency on a single value of an enum.",
    upstream: "order statements that hold an enum's new value behind ALTER TYPE … ADD VALUE",
    creates: true,
  },
  {
    name: "attributes in order",
    run: onActions((actions, { pair }) => withAttributesInOrder(actions, pair.to)),
    after: ["renames first"],
    reason:
      "PostgreSQL adds an attribute of a composite type behind all others; pg-delta adds them in any order.",
    upstream: "order ADD ATTRIBUTE by the attributes' positions",
  },
  {
    name: "replica identity",
    run: onActions(replicaIdentityLast),
    after: ["all parents"],
    reason:
      "pg-delta writes a table's replica identity twice, perhaps before the index's columns are NOT NULL.",
    upstream: "write REPLICA IDENTITY once, behind SET NOT NULL",
    creates: true,
  },
  {
    name: "persistence",
    run: onActions((actions, { pair }) => withPersistenceInOrder(actions, pair.to)),
    after: ["renames first"],
    reason: "A logged table may not refer to an unlogged one, at no time between the statements.",
    upstream: "order SET LOGGED and SET UNLOGGED by foreign keys",
    creates: true,
  },
];

/** What depends on the order of all statements. */
const orderPasses: readonly Pass[] = [
  {
    name: "publications",
    run: onActions(withMembersDroppedAlong),
    after: ["renames first"],
    reason: "A table leaves its publications when it is dropped.",
    upstream: "leave out ALTER PUBLICATION … DROP TABLE where the table is dropped",
  },
  {
    name: "owners",
    run: onActions((actions, { pair }) => withOwnersKept(actions, pair)),
    after: ["renames first", "rebuilt enums"],
    reason:
      "An object that is created again belongs to the role that runs the migration, until it is given back.",
  },
  {
    name: "free names first",
    run: onActions((actions, { pair }) => freeNamesFirst(actions, pair.from, pair.to)),
    after: completion.map(({ name }) => name),
    reason: "A statement that creates an object under the name of another waits for that one's rename.",
    upstream: "order a rename before the statement that takes the old name",
  },
  {
    name: "names aside",
    run: onActions((actions, { pair }) => withNamesAside(actions, pair.from, pair.to)),
    after: ["free names first"],
    reason: "An index that goes with its table later is renamed where another object takes its name before.",
    upstream: "drop or rename an index before another object takes its name",
  },
  {
    name: "defaults after renames",
    run: onActions((actions, { pair }) => defaultsAfterRenames(actions, pair.to)),
    after: ["names aside"],
    reason: "A default names a sequence by the name that the same migration gives to it.",
    upstream: "order SET DEFAULT behind the rename of the sequence",
  },
  {
    name: "foreign keys dropped along",
    run: onActions((actions, { pair }) => withKeysDroppedAlong(actions, pair.from)),
    after: ["defaults after renames"],
    reason: "A foreign key goes with its table; pg-delta drops each key by a statement of its own.",
    upstream: "leave out DROP CONSTRAINT where the key's table is dropped before the table that it refers to",
  },
];

/**
 * All passes, in their order. Each does one thing that pg-delta's plan does not do (alpha.34: others may be deleted with a
 * later version, as `upstream` says).
 */
export const passes: readonly Pass[] = [
  ...schemaPasses,
  planning,
  wholeTables,
  ...changePasses,
  ...completion,
  ...orderPasses,
];

/** The passes that create a schema in an empty database. */
export const creationPasses: readonly Pass[] = [planningCreation, wholeTables, ...completion];
