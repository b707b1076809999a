import type { ObjectKind } from "../../config/access.ts";
import type { EffectiveRole, ShownRights } from "../catalog/effective-rights.ts";
import type { CatalogObject } from "../catalog/objects.ts";
import { describeFiltered } from "../catalog/row-security.ts";
import type { Review } from "./review.ts";

/** How many objects of a group a role holds a right on, and on how many that differs from what is declared. */
export interface Cell {
  readonly held: number;
  readonly differing: number;
}

/** One line of the matrix: a role, and the objects of one kind in one schema. */
export interface Line {
  readonly role: string;
  readonly schema: string;
  readonly kind: ObjectKind;
  /** Objects in the group. */
  readonly count: number;
  readonly cells: Readonly<Record<string, Cell>>;
}

/** What a role may do to the database itself is in `roles --json`. */
const kinds: readonly ObjectKind[] = ["schema", "table", "sequence", "function"];

function lineOf(
  role: EffectiveRole,
  group: readonly CatalogObject[],
  differing: ReadonlyMap<string, number>,
  shown: ShownRights,
): Line | undefined {
  const [first] = group;
  if (first === undefined) return undefined;
  const keys = group.map(({ key }) => key);
  const cells = shown[first.kind].map((right): [string, Cell] => [
    right,
    {
      held: keys.filter((key) => role.rights.get(key)?.includes(right)).length,
      differing: keys.reduce((sum, key) => sum + (differing.get(`${role.name}\0${key}\0${right}`) ?? 0), 0),
    },
  ]);
  return {
    role: role.name,
    schema: first.schema,
    kind: first.kind,
    count: group.length,
    cells: Object.fromEntries(cells),
  };
}

/** A review as lines: role × schema × kind of object, in that order; schemas first, then what is in them. */
export function matrixOf({ shown: rights, roles, objects, differences }: Review): Line[] {
  const shown = objects.filter(({ kind }) => kind !== "database");
  const groups = Map.groupBy(shown, ({ schema, kind }) => JSON.stringify([schema, kinds.indexOf(kind)]));
  const ordered = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  const differing = new Map<string, number>();
  for (const { role, object, right } of differences) {
    const key = `${role}\0${object}\0${right}`;
    differing.set(key, (differing.get(key) ?? 0) + 1);
  }
  return roles.flatMap((role) => ordered.flatMap((group) => lineOf(role, group, differing, rights) ?? []));
}

/** Colours of a terminal, or none. */
export interface Paint {
  readonly bad: (text: string) => string;
  readonly dim: (text: string) => string;
}

export const plain: Paint = { bad: (text) => text, dim: (text) => text };
export const coloured: Paint = {
  bad: (text) => `\u001b[31m${text}\u001b[39m`,
  dim: (text) => `\u001b[2m${text}\u001b[22m`,
};

function cellText({ held, differing }: Cell, count: number): string {
  const amount = held === 0 ? "-" : held === count ? "all" : `${held}/${count}`;
  return differing === 0 ? amount : `${amount}!`;
}

function matters({ kind, cells }: Line): boolean {
  return kind === "schema" || Object.values(cells).some(({ held, differing }) => held + differing > 0);
}

function table(rows: readonly (readonly string[])[], paint: (text: string, row: number) => string): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  return rows.map((row, index) =>
    row
      .map((text, at) => paint(text.padEnd(widths[at] ?? 0), index))
      .join("  ")
      .trimEnd(),
  );
}

/** What stands beside a role's name: its declared access, or how it comes to be here. */
export type Label = (role: string) => string;

/** The matrix for people. Cells that differ from what is declared end in "!", and are red where there are colours. */
export function renderMatrix(review: Review, label: Label, paint: Paint): string[] {
  const shown = matrixOf(review).filter(matters);
  const columns = [...new Set(kinds.flatMap((kind) => review.shown[kind]))];
  const body = shown.map((line, index) => {
    const repeats = shown[index - 1]?.role === line.role;
    const names = repeats ? ["", ""] : [line.role, label(line.role)];
    const plural =
      line.kind === "schema" ? "schema" : `${line.count} ${line.kind}${line.count === 1 ? "" : "s"}`;
    const cells = columns.map((right) => {
      const cell = line.cells[right];
      return cell === undefined ? "" : cellText(cell, line.count);
    });
    return [...names, line.schema, plural, ...cells];
  });
  return table([["role", "declared", "schema", "objects", ...columns], ...body], (text, row) =>
    row === 0 || text.trim() === "-"
      ? paint.dim(text)
      : text.trimEnd().endsWith("!")
        ? paint.bad(text)
        : text,
  );
}

/** What roles really see of tables with row security, a line each. */
export function renderFiltered({ filtered }: Review): string[] {
  return filtered.map(describeFiltered);
}

/** The differences in words, a line each; beyond `limit` of one role only how many more there are. */
export function renderDifferences({ differences }: Review, paint: Paint, limit = 20): string[] {
  return [...Map.groupBy(differences, ({ role }) => role)].flatMap(([role, all]) => [
    ...all
      .slice(0, limit)
      .map(({ kind, what }) => paint.bad(`${kind === "missing" ? "-" : "+"} ${role}: ${kind} ${what}`)),
    ...(all.length > limit
      ? [paint.bad(`  ${role}: ${all.length - limit} more (all of them by --json)`)]
      : []),
  ]);
}
