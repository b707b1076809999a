import type { MatrixCell, MatrixRole, Plan, RightsMatrix } from "../../model.ts";
import { count, shortName } from "../words.ts";
import { type Content, html, type Markup } from "./markup.ts";
import { badge, type Section, section } from "./sections.ts";

/** A right by its first letter, which a legend spells out: a thousand tables fit into a page. */
const letter = (right: string) => right.charAt(0) + right.replace(/^[^ ]*/, "");

/** Tables that a large matrix shows at once; the rest unfolds. */
const shownAtOnce = 60;
const soon = 30 * 24 * 3_600_000;

function cell(found: MatrixCell | undefined): Markup {
  if (found === undefined) return html`<td></td>`;
  const { held, columns, gains, loses } = found;
  const kept = held.filter((right) => !loses.includes(right)).map(letter);
  const parts: Content[] = [
    kept.join(" "),
    columns.length > 0 ? html` <span class="part">S (${columns.join(", ")})</span>` : undefined,
    ...gains.map((right) => html` <ins>+${letter(right)}</ins>`),
    ...loses.map((right) => html` <del>−${letter(right)}</del>`),
  ];
  return html`<td>${parts}</td>`;
}

function roleHeading({ name, access, superuser, validUntil }: MatrixRole, madeAt: string): Markup {
  const left = validUntil === null ? Number.POSITIVE_INFINITY : Date.parse(validUntil) - Date.parse(madeAt);
  const days = Math.max(0, Math.floor(left / 86_400_000));
  const ends =
    left < soon
      ? badge(left < 0 ? "bad" : "warn", left < 0 ? "expired" : `expires in ${count(days, "day")}`)
      : undefined;
  return html`<th scope="col"><code>${name}</code><br><span class="where">${
    superuser ? "superuser" : (access ?? "not declared")
  }</span> ${ends}</th>`;
}

function tableOf(name: string, matrix: RightsMatrix, tables: readonly string[], madeAt: string): Markup {
  const cells = new Map(matrix.cells.map((one) => [`${one.role}\0${one.table}`, one]));
  const rows = tables.map(
    (table) =>
      html`<tr><th scope="row">${shortName(table)}</th>${matrix.roles.map((role) => cell(cells.get(`${role.name}\0${table}`)))}</tr>
`,
  );
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${name}"><table class="matrix"><thead><tr><th scope="col">Table</th>${matrix.roles.map(
    (role) => roleHeading(role, madeAt),
  )}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

const legend = (rights: readonly string[]) =>
  html`<p>${rights.map((right) => html`<b>${letter(right)}</b> ${right} `)}· <ins>+ gained</ins> · <del>− lost</del> · <span class="part">S (…)</span> these columns only</p>`;

/** Role × table, with what is gained and lost; of many tables, those whose rights change stand first. */
export function rightsMatrix({ matrix, madeAt }: Plan): Section | undefined {
  if (matrix === undefined || matrix.roles.length === 0 || matrix.tables.length === 0) return undefined;
  const changed = new Set(
    matrix.cells.filter(({ gains, loses }) => gains.length + loses.length > 0).map(({ table }) => table),
  );
  const large = matrix.tables.length > shownAtOnce;
  const first = large ? matrix.tables.filter((table) => changed.has(table)) : matrix.tables;
  const rest = large ? matrix.tables.filter((table) => !changed.has(table)) : [];
  return section("rights", "Rights by table", [
    legend(matrix.rights),
    first.length === 0 ? undefined : tableOf("Rights by table", matrix, first, madeAt),
    rest.length === 0
      ? undefined
      : html`<details><summary>${count(rest.length, "table")} whose rights stay</summary>${tableOf("Rights that stay", matrix, rest, madeAt)}</details>`,
  ]);
}
