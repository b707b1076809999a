// Random schemas, and random changes of one.
import { type Dice, diceFrom } from "../../support/random.ts";
import { commentKind, grantKind, ownerKind } from "./decorations.ts";
import * as objects from "./objects.ts";
import { dependants, drawFrom, type Kind, type Part, type Schema, unitsOf, without } from "./parts.ts";
import * as relations from "./relations.ts";
import { columnKind, constraintKind, partitionedKind, partitionKind, tableKind } from "./tables.ts";
import { collationKind, compositeKind, domainKind, enumKind, rangeKind } from "./types.ts";

/** Each kind of part, and how often it is drawn. */
const kinds: readonly { readonly kind: Kind; readonly weight: number; readonly makes: readonly string[] }[] =
  [
    { kind: enumKind, weight: 4, makes: ["enum"] },
    { kind: domainKind, weight: 4, makes: ["domain"] },
    { kind: compositeKind, weight: 3, makes: ["composite"] },
    { kind: rangeKind, weight: 1, makes: ["range"] },
    { kind: collationKind, weight: 1, makes: ["collation"] },
    { kind: tableKind, weight: 7, makes: ["table"] },
    { kind: partitionedKind, weight: 2, makes: [] },
    { kind: partitionKind, weight: 4, makes: [] },
    { kind: columnKind, weight: 6, makes: ["column"] },
    { kind: constraintKind, weight: 9, makes: ["constraint"] },
    { kind: relations.indexKind, weight: 7, makes: ["index"] },
    { kind: relations.viewKind, weight: 4, makes: ["view"] },
    { kind: relations.materializedKind, weight: 2, makes: ["materialized view"] },
    { kind: relations.statisticsKind, weight: 2, makes: ["statistics"] },
    { kind: relations.policyKind, weight: 2, makes: ["policy"] },
    { kind: relations.ruleKind, weight: 1, makes: ["rule"] },
    { kind: relations.triggerKind, weight: 4, makes: ["trigger"] },
    { kind: objects.functionKind, weight: 4, makes: ["function"] },
    { kind: objects.tableFunctionKind, weight: 3, makes: ["table function"] },
    { kind: objects.triggerFunctionKind, weight: 2, makes: ["trigger function"] },
    { kind: objects.aggregateKind, weight: 1, makes: ["aggregate"] },
    { kind: objects.operatorKind, weight: 1, makes: ["operator"] },
    { kind: objects.castKind, weight: 1, makes: ["cast"] },
    { kind: objects.sequenceKind, weight: 3, makes: ["sequence"] },
    { kind: objects.extensionKind, weight: 1, makes: ["extension"] },
    { kind: objects.textSearchKind, weight: 1, makes: ["text search"] },
    { kind: objects.serverKind, weight: 1, makes: ["server"] },
    { kind: objects.foreignTableKind, weight: 1, makes: [] },
    { kind: objects.publicationKind, weight: 2, makes: ["publication"] },
    { kind: objects.eventTriggerKind, weight: 1, makes: ["event trigger"] },
    { kind: commentKind, weight: 4, makes: ["comment"] },
    { kind: grantKind, weight: 4, makes: ["grant"] },
    { kind: ownerKind, weight: 2, makes: [] },
  ];

const bag = kinds.flatMap(({ kind, weight }) => Array.from({ length: weight }, () => kind));

function withParts(schema: Schema, made: Part | readonly Part[] | undefined): Schema {
  const parts = made === undefined ? [] : "key" in made ? [made] : made;
  const more = new Map([...schema, ...parts.map((part) => [part.key, part] as const)]);
  try {
    unitsOf(more);
    return more;
  } catch {
    return schema; // the new definition would need itself
  }
}

/** A table's row type keeps some columns from being changed; PostgreSQL says which. */
function changed(dice: Dice, schema: Schema, counter: { next: number }): Schema {
  const draw = drawFrom(dice, schema, counter);
  const victim = dice.one([...schema.values()]);
  const way = dice.below(10);
  if (way < 4 || victim === undefined) return withParts(schema, dice.one(bag)?.(draw));
  const fixed = victim.detail?.fixed !== undefined;
  if (way < 6) {
    const gone = dependants(schema, [victim.key]);
    return fixed || gone.size > schema.size / 3 ? schema : without(schema, [victim.key]);
  }
  const kind = kinds.find(({ makes }) => makes.includes(victim.kind))?.kind;
  const again = kind?.(draw, victim);
  const part = again === undefined ? undefined : "key" in again ? again : again[0];
  return part?.key === victim.key ? withParts(schema, part) : schema;
}

/** Two schemas, of which the second is the first after some changes. */
export interface SchemaPair {
  readonly from: Schema;
  readonly to: Schema;
}

/** The schemas of a seed. Owners are on both sides or on none, because no revision changes an owner. */
export function schemasOf(seed: number): SchemaPair {
  const dice = diceFrom(seed);
  const counter = { next: 1 };
  let from: Schema = new Map();
  for (let left = 12 + dice.below(30); left > 0; left--)
    from = withParts(from, dice.one(bag)?.(drawFrom(dice, from, counter)));
  let to = from;
  for (let left = 1 + dice.below(9); left > 0; left--) to = changed(dice, to, counter);
  return { from, to };
}
