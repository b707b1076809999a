import type {
  Plan,
  PlannedSchema,
  SchemaChange,
  SchemaColumn,
  SchemaReference,
  SchemaTable,
} from "../../model.ts";
import { count, shortName } from "../words.ts";
import { type Box, type Layout, layOut, type Place } from "./layout.ts";
import { type Content, html, type Markup } from "./markup.ts";
import { type Section, section } from "./sections.ts";

/** Up to here a schema is drawn as a whole at once. */
const shownAtOnce = 60;
const head = 30;
const line = 20;
const letterWidth = 7.3; // of the monospaced letters that the style sheet gives the picture
const margin = 20;

const keyOf = ({ schema, name }: SchemaTable) => `${schema}.${name}`;
const words: Record<SchemaChange, string> = { add: "new", change: "changed", drop: "dropped", none: "" };
const signs: Record<SchemaChange, string> = { add: "+", change: "~", drop: "−", none: "" };

/** The type of a column, its new name or type, and a question mark where it may be NULL. */
function typeText({ type, notNull, becomes }: SchemaColumn): string {
  const known = `${type ?? "?"}${notNull || type === null ? "" : " ?"}`;
  return becomes === null ? known : `${known} → ${becomes}`;
}

function titleOf(table: SchemaTable): string {
  const name = shortName(keyOf(table));
  return table.becomes === null ? name : `${name} → ${shortName(table.becomes)}`;
}

/** A column's mark, name and keys, as they stand in the picture. */
function columnText({ name, key, change }: SchemaColumn, refers: boolean): string {
  const keys = [key ? "PK" : "", refers ? "FK" : ""].filter((text) => text !== "");
  return [signs[change], name, ...keys].filter((text) => text !== "").join(" ");
}

/** A table beside the columns by which it refers to others. */
interface Drawn {
  readonly table: SchemaTable;
  readonly refers: ReadonlySet<string>;
}

function sizeOf({ table, refers }: Drawn) {
  const rows = table.columns.map(
    (column) => columnText(column, refers.has(column.name)).length + typeText(column).length + 3,
  );
  const letters = Math.max(titleOf(table).length + words[table.change].length + 3, ...rows, 12);
  return { width: Math.ceil(letters * letterWidth) + 20, height: head + table.columns.length * line + 8 };
}

const round = (value: number) => Math.round(value);

function columnLine(column: SchemaColumn, index: number, width: number, refers: boolean): Markup {
  const y = head + index * line + 16;
  const kind = `${column.change === "none" ? "" : column.change}${column.key ? " key" : ""}`.trim();
  const marked = kind === "" ? undefined : html` class="${kind}"`;
  return html`<text x="10" y="${y}"${marked}>${columnText(column, refers)}</text><text class="type" x="${width - 10}" y="${y}">${typeText(column)}</text>`;
}

function drawTable(drawn: Drawn, { x, y }: Place): Markup {
  const { table, refers } = drawn;
  const { width, height } = sizeOf(drawn);
  const label = ["Table", titleOf(table), words[table.change]].filter((text) => text !== "").join(" ");
  const because = table.because.length === 0 ? undefined : html`<title>${table.because.join(", ")}</title>`;
  return html`<g class="table ${table.change}" role="group" aria-label="${label}" data-table="${keyOf(table)}" transform="translate(${round(x)} ${round(y)})">${because}<rect width="${width}" height="${height}" rx="5"></rect><path d="M0 ${head}H${width}"></path><text class="title" x="10" y="20">${titleOf(table)}</text><text class="word" x="${width - 10}" y="20">${words[table.change]}</text>${table.columns.map(
    (column, index) => columnLine(column, index, width, refers.has(column.name)),
  )}</g>
`;
}

/** A box of the picture with what is needed to let a line end at one of its columns. */
interface Anchor extends Place {
  readonly width: number;
  readonly columns: readonly string[];
}

function rowOf({ y, columns }: Anchor, column: string | undefined): number {
  const index = column === undefined ? -1 : columns.indexOf(column);
  return y + (index < 0 ? head / 2 : head + index * line + line / 2 + 1);
}

/** From the referring column to the referred one, from the sides that face each other. */
function curve(from: Anchor, to: Anchor, { columns, referenced }: SchemaReference): string {
  const [startY, endY] = [rowOf(from, columns[0]), rowOf(to, referenced[0])];
  const leftwards = to.x + to.width < from.x;
  const overlapping = !leftwards && from.x + from.width >= to.x;
  const startX = leftwards ? from.x : from.x + from.width;
  const endX = leftwards || overlapping ? to.x + to.width : to.x;
  const bend = Math.max(30, Math.min(120, Math.abs(endX - startX) / 2));
  const [first, second] = [
    startX + (leftwards ? -bend : bend),
    endX + (leftwards || overlapping ? bend : -bend),
  ];
  return `M${round(startX)} ${round(startY)}C${round(first)} ${round(startY)} ${round(second)} ${round(endY)} ${round(endX)} ${round(endY)}`;
}

function drawReference(reference: SchemaReference, anchors: ReadonlyMap<string, Anchor>): Markup | undefined {
  const { from, columns, to, referenced, change } = reference;
  const [start, end] = [anchors.get(from), anchors.get(to)];
  if (start === undefined || end === undefined) return undefined;
  const word = words[change] === "" ? "" : `, ${words[change]}`;
  const text = `${shortName(from)} (${columns.join(", ")}) → ${shortName(to)} (${referenced.join(", ")})${word}`;
  return html`<path class="reference ${change}" data-from="${from}" data-to="${to}" d="${curve(start, end, reference)}"><title>${text}</title></path>
`;
}

/** Lays tables out and draws them, with the references between them. */
function draw({ tables, references }: PlannedSchema, name: string): Markup {
  const refering = Map.groupBy(references, ({ from }) => from);
  const drawn = tables.map((table): Drawn => {
    const columns = refering.get(keyOf(table))?.flatMap((one) => one.columns) ?? [];
    return { table, refers: new Set(columns) };
  });
  const boxes = drawn.map((one): Box => {
    const id = keyOf(one.table);
    return { id, ...sizeOf(one), to: refering.get(id)?.map(({ to }) => to) ?? [] };
  });
  const { width, height, places }: Layout = layOut(boxes);
  const anchors = new Map(
    drawn.map(({ table }, at): [string, Anchor] => {
      const { id = "", width: wide = 0 } = boxes[at] ?? {};
      return [
        id,
        { ...(places.get(id) as Place), width: wide, columns: table.columns.map((one) => one.name) },
      ];
    }),
  );
  const [wide, high] = [round(width + 2 * margin), round(height + 2 * margin)];
  return html`<svg class="schema" role="group" aria-label="${name}" width="${wide}" height="${high}" viewBox="${-margin} ${-margin} ${wide} ${high}">${references.map(
    (one) => drawReference(one, anchors),
  )}${drawn.map((one) => drawTable(one, anchors.get(keyOf(one.table)) as Place))}</svg>`;
}

/** The tables that change, and those that a reference ties to them. */
export function changedPart({ tables, references }: PlannedSchema): PlannedSchema {
  const changed = new Set(tables.filter(({ change }) => change !== "none").map(keyOf));
  for (const { from, change } of references) if (change !== "none") changed.add(from);
  const near = new Set(changed);
  for (const { from, to } of references) {
    if (changed.has(from)) near.add(to);
    if (changed.has(to)) near.add(from);
  }
  return {
    tables: tables.filter((table) => near.has(keyOf(table))),
    references: references.filter(({ from, to }) => near.has(from) && near.has(to)),
  };
}

/** Search and size, which the page's program reveals. @param all how many tables can be shown besides; 0 where all are there */
const controls = (all: number) => html`<form class="controls" id="schema-controls" hidden>
<label for="schema-search">Find a table</label> <input id="schema-search" type="search" list="schema-names" autocomplete="off" spellcheck="false">
<datalist id="schema-names"></datalist>
<button type="submit">Find</button> <button type="button" data-zoom="0.8">Smaller</button> <button type="button" data-zoom="1.25">Larger</button> <button type="button" data-zoom="fit">Fit</button>${
  all === 0
    ? undefined
    : html` <button type="button" id="schema-all" aria-pressed="false">Show all ${count(all, "table")}</button>`
}
<span id="schema-status" role="status"></span></form>`;

const legend = html`<p class="where">PK primary key · FK reference to another table · ? may be NULL · + new · ~ changed · − dropped</p>`;

function frame(content: Content): Markup {
  return html`<div class="scroll picture" id="schema-picture" tabindex="0" role="group" aria-label="Picture of the schema">${content}</div>`;
}

/** Tables, columns and references; a large schema opens at what changes, and holds the rest ready. */
export function schemaPicture({ schema }: Plan): Section | undefined {
  if (schema === undefined || schema.tables.length === 0) return undefined;
  const part = schema.tables.length <= shownAtOnce ? schema : changedPart(schema);
  const complete = part.tables.length === schema.tables.length;
  const total = count(schema.tables.length, "table");
  const told = complete
    ? html`<p>${total}.</p>`
    : html`<p>${
        part.tables.length === 0
          ? "No table changes."
          : `${part.tables.length} of ${total}: those that change, and those that a reference ties to them.`
      }</p>`;
  const rest = complete
    ? undefined
    : html`<template id="schema-whole">${draw(schema, "All tables")}</template>`;
  const shown =
    part.tables.length === 0 ? undefined : draw(part, complete ? "All tables" : "Tables that change");
  return section("schema", "Schema", [
    told,
    legend,
    controls(complete ? 0 : schema.tables.length),
    frame(shown),
    rest,
  ]);
}
