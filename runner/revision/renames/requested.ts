import type { Fact, FactBase } from "@supabase/pg-delta/core";
import { identifier } from "../../postgres/sql.ts";
import { RefusedError } from "../../util/errors.ts";
import { pathOf } from "../catalog/managed-view.ts";
import {
  type InPlace,
  type Named,
  type Place,
  renamable,
  statement,
  statements,
  valueStatements,
} from "./statements.ts";

/** What renames are read from, and what those before have changed already. */
interface Naming {
  readonly facts: FactBase;
  /** Where what was renamed is now, by its path at the start. */
  readonly places: Map<string, Place>;
  /** Schemas that are there, and all that the models have besides. */
  readonly present: Set<string>;
  readonly schemas: ReadonlySet<string>;
  /** What holds rows and gets another name: the models must have it. */
  readonly expected: { readonly pair: string; readonly id: Named; readonly name: string }[];
}

/** The objects with a path, such as `users.email` for `public.users.email`. */
function findNamed(facts: FactBase, path: string): Named[] {
  const found = facts
    .facts()
    .map(({ id }) => id)
    .filter((id): id is Named => id.kind in renamable || id.kind === "column" || id.kind === "schema")
    .filter(
      (id) => `public.${path}` === pathOf(id) || pathOf(id) === path || pathOf(id).endsWith(`.${path}`),
    );
  const exact = found.filter((id) => pathOf(id) === path || pathOf(id) === `public.${path}`);
  return exact.length > 0 ? exact : found;
}

/** Where an object of the start is after the renames before. */
function placeOf({ places }: Naming, id: Named): Place {
  const known = id.table === undefined ? places.get(pathOf(id)) : undefined;
  if (known !== undefined) return known;
  const schema = places.get(id.schema)?.name ?? id.schema;
  const table = id.table === undefined ? undefined : places.get(`${id.schema}.${id.table}`);
  return { ...id, schema, ...(table && { schema: table.schema, table: table.name }) };
}

/** The rename of an enum's value, where `path` names one. */
function renamedValue(naming: Naming, path: string, to: string): InPlace | undefined {
  for (const { id, payload } of naming.facts.facts()) {
    if (payload.variant !== "enum") continue;
    const type = [pathOf(id), pathOf(id).replace(/^public\./, "")].find((one) => path.startsWith(`${one}.`));
    const value = path.slice((type ?? "").length + 1);
    if (type === undefined || !(payload.values as string[]).includes(value)) continue;
    const wanted = to.startsWith(`${type}.`) ? to.slice(type.length + 1) : to;
    return valueStatements(placeOf(naming, id as Named), value, wanted);
  }
  return undefined;
}

function refuse(path: string, found: readonly Named[]): never {
  const what = found.length === 0 ? "nothing" : found.map(pathOf).join(", ");
  throw new RefusedError(
    `--rename ${path}=…: expected one schema, table, column, view, type, enum value, sequence or index, found ${what}`,
  );
}

/** The new name of an object, and its schema where that is another one: NEW is a name, alone or as a path. */
function newNameOf(
  schemas: ReadonlySet<string>,
  id: Named,
  to: string,
): Pick<Place, "name"> & { readonly schema?: string } {
  if (id.kind === "schema") return { name: to };
  const parent = pathOf(id).slice(0, -id.name.length);
  const short = parent.slice(parent.indexOf(".") + 1);
  const prefix = [parent, short].find((one) => one !== "" && to.startsWith(one));
  if (prefix !== undefined || id.table !== undefined) return { name: to.slice((prefix ?? "").length) };
  const [schema = "", name] = to.split(/\.(.*)/s);
  return name !== undefined && schemas.has(schema) ? { schema, name } : { name: to };
}

/** The rename of an object, which may need a schema that only the models have. */
function renamedObject(naming: Naming, pair: string, id: Named, to: string): InPlace {
  const from = placeOf(naming, id);
  const place: Place = { ...from, ...newNameOf(naming.schemas, id, to) };
  if (id.kind === "table" || id.kind === "column") naming.expected.push({ pair, id, name: place.name });
  if (id.table === undefined) naming.places.set(pathOf(id), place);
  const [up, down] = [statements(id.kind, from, place), statements(id.kind, place, from)];
  if (id.kind === "schema" || from.schema === place.schema || naming.present.has(place.schema))
    return { up, down };
  naming.present.add(place.schema);
  const schema = identifier(place.schema);
  return {
    up: [statement(`CREATE SCHEMA ${schema}`), ...up],
    down: [...down, statement(`DROP SCHEMA ${schema}`)],
  };
}

function readRename(naming: Naming, pair: string): InPlace {
  const [old = "", to = ""] = pair.split(/=(.*)/s);
  if (old === "" || to === "")
    throw new RefusedError(`--rename takes OLD=NEW, such as users.email=mail; found "${pair}"`);
  const found = findNamed(naming.facts, old);
  const [id, ...others] = found;
  if (id !== undefined && others.length === 0) return renamedObject(naming, pair, id, to);
  return (id === undefined ? renamedValue(naming, old, to) : undefined) ?? refuse(old, found);
}

/** Under a name that the models do not have, rows would be dropped after all. */
function refuseUnknown(naming: Naming, wanted: FactBase): void {
  for (const { pair, id, name } of naming.expected) {
    const there: Named = { ...id, ...placeOf(naming, id), name };
    if (!wanted.has(there))
      throw new RefusedError(
        `--rename ${pair}: expected a ${id.kind} ${pathOf(there)} in the models, found none: correct the new name`,
      );
  }
}

const schemasOf = (facts: FactBase) =>
  facts.facts().flatMap(({ id }) => (id.kind === "schema" ? [id.name] : []));

/**
 * Reads `--rename OLD=NEW`: OLD is a path such as `users.email` or `shop.orders`, NEW a name, alone or as a path.
 * Throws RefusedError where OLD is not one object of the start, or NEW no table or column of the models.
 * @param wanted the models, whose schemas tables may move to
 */
export function readRenames(facts: FactBase, wanted: FactBase, pairs: readonly string[]): InPlace {
  const present = schemasOf(facts);
  const schemas = new Set([...present, ...schemasOf(wanted)]);
  const naming: Naming = { facts, places: new Map(), present: new Set(present), schemas, expected: [] };
  const all = pairs.map((pair) => readRename(naming, pair));
  refuseUnknown(naming, wanted);
  return { up: all.flatMap(({ up }) => up), down: all.toReversed().flatMap(({ down }) => down) };
}

/** Types and domains that differ by nothing but their name: no row is at stake, so nobody needs to ask. */
export function renamesOfTypes(from: FactBase, to: FactBase): string[] {
  const shape = ({ id, payload }: Fact) => JSON.stringify([id.kind, (id as Named).schema, payload]);
  const types = (one: FactBase, other: FactBase) =>
    Map.groupBy(
      one
        .facts()
        .filter(({ id, payload }) => (id.kind === "domain" || payload.variant === "enum") && !other.has(id)),
      shape,
    );
  const added = types(to, from);
  return [...types(from, to)].flatMap(([key, [old, ...others]]) => {
    const [wanted, ...more] = added.get(key) ?? [];
    if (old === undefined || wanted === undefined || others.length + more.length > 0) return [];
    return [`${pathOf(old.id)}=${(wanted.id as Named).name}`];
  });
}
