import type { StackConfig } from "../../config/parse.ts";
import type { ReviewedRights } from "../../config/role-declaration.ts";
import { ownSchema } from "../../postgres/sql.ts";
import { type CatalogObject, schemasAmong } from "../../roles/catalog/objects.ts";
import { ruleOf } from "../../roles/plan/desired.ts";
import type { Review } from "../../roles/review/review.ts";
import type { MatrixCell, MatrixRole, PlannedRole, PlannedSchema, RightsMatrix } from "../model.ts";
import { asObject } from "../roles.ts";

/** What a matrix is made from. */
export interface MatrixGround {
  readonly config: StackConfig;
  readonly declared: ReviewedRights;
  readonly review: Review;
  readonly planned: readonly PlannedRole[];
  readonly schema: PlannedSchema;
}

const keyOf = ({ schema, name }: Pick<CatalogObject, "schema" | "name">) => `${schema}.${name}`;

function tablesOf({ review: { objects }, schema }: MatrixGround): CatalogObject[] {
  const found = objects.filter((one) => one.kind === "table" && one.schema !== ownSchema);
  const known = new Set(found.map(keyOf));
  const toCome = schema.tables.filter((table) => table.change === "add" && !known.has(keyOf(table)));
  const named = ({ columns }: PlannedSchema["tables"][number]) => columns.map(({ name }) => name);
  return [...found, ...toCome.map((table) => asObject({ ...table, columns: named(table) }))];
}

function rolesOf({ config, review, planned }: MatrixGround): MatrixRole[] {
  const names = new Set([...review.roles, ...planned].map(({ name }) => name));
  return [...names].map((name) => {
    const declared = config.roles.find((role) => role.name === name);
    const validUntil = declared?.validUntil ?? "infinity";
    return {
      name,
      access: name === config.database.owner ? "owner" : (declared?.access ?? null),
      superuser: review.roles.find((role) => role.name === name)?.superuser ?? false,
      validUntil: validUntil === "infinity" ? null : validUntil,
    };
  });
}

/** What a role should have on tables; undefined where nobody declares it. */
function desiredOf({ declared, review }: MatrixGround, role: string) {
  const declaration = declared.roles.find((one) => one.role === role);
  return declaration && ruleOf(declaration, schemasAmong(review.objects), []).on;
}

/** The cells of one role. Reading a part of the columns counts as a right of its own. */
function cellsOf(ground: MatrixGround, role: string, tables: readonly CatalogObject[]): MatrixCell[] {
  const { review, planned } = ground;
  const found = review.roles.find(({ name }) => name === role);
  const dropped = planned.some(({ name, change }) => name === role && change === "drop");
  const desired = desiredOf(ground, role);
  const surplus = new Set(
    review.differences
      .filter((one) => one.role === role && one.kind === "surplus" && one.right !== undefined)
      .map(({ object, right }) => `${object}\0${right}`),
  );
  return tables.map((table) => {
    const held = found?.rights.get(table.key) ?? [];
    const columns = found?.readableColumns.get(table.key) ?? [];
    const { whole: all = [], columns: inPart = {} } = desired?.(table) ?? {};
    const whole = all.filter((right) => review.shown.table.includes(right));
    const partly = !whole.includes("SELECT") && Object.keys(inPart).length > 0 && columns.length === 0;
    return {
      role,
      table: keyOf(table),
      held,
      columns,
      gains: [
        ...whole.filter((right) => !held.includes(right)),
        ...(partly ? [`SELECT (${Object.keys(inPart).join(", ")})`] : []),
      ],
      loses: dropped ? held : held.filter((right) => surplus.has(`${table.key}\0${right}`)),
    };
  });
}

const says = ({ held, columns, gains, loses }: MatrixCell) =>
  held.length + columns.length + gains.length + loses.length > 0;

/** Role × table: what the server says that each role may do, beside what `up` gives and takes. Pure. */
export function rightsMatrix(ground: MatrixGround): RightsMatrix {
  const tables = tablesOf(ground);
  const roles = rolesOf(ground);
  const cells = roles.flatMap(({ name }) => cellsOf(ground, name, tables)).filter(says);
  return { roles, rights: ground.review.shown.table, tables: tables.map(keyOf), cells };
}
