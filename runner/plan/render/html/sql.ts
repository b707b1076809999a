import { type Content, html, type Markup } from "./markup.ts";

const keywords = new Set(
  `add all alter analyze and any as asc before begin between by cascade case cast check column comment commit concurrently
   constraint create cross current database default deferrable delete desc disable distinct do domain drop each else enable end
   enum except exclude execute exists extension false fetch for foreign from full function generated grant group having identity
   if immutable in index inherits inner insert instead into is join key language left like limit lock materialized natural no not
   null of offset on only operator or order outer owner partition policy primary procedure publication references reindex rename
   replace restrict return returning returns revoke right role row rule schema security select sequence set stable statistics
   table temporary then to transaction trigger true truncate type union unique update usage using vacuum validate values view
   volatile when where with`.split(/\s+/),
);

/** Comments, texts, quoted names, words and numbers; the rest stands for itself. */
const token =
  /(?<comment>--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<text>'(?:[^']|'')*(?:'|$)|\$(?<tag>[A-Za-z_]*)\$[\s\S]*?(?:\$\k<tag>\$|$))|(?<name>"(?:[^"]|"")*(?:"|$))|(?<word>[A-Za-z_][\w$]*)|(?<number>\d[\d.]*)/g;

function classOf({ comment, text, word, number }: Readonly<Record<string, string | undefined>>) {
  if (comment !== undefined) return "c";
  if (text !== undefined) return "s";
  if (number !== undefined) return "n";
  return word !== undefined && keywords.has(word.toLowerCase()) ? "k" : undefined;
}

/** SQL with its keywords, texts, numbers and comments told apart by colour; the text itself stays as it is. */
export function sqlBlock(sql: string): Markup {
  const parts: Content[] = [];
  let at = 0;
  for (const { 0: found, index, groups = {} } of sql.matchAll(token)) {
    const kind = classOf(groups);
    if (kind === undefined) continue;
    parts.push(sql.slice(at, index), html`<span class="${kind}">${found}</span>`);
    at = index + found.length;
  }
  return html`<pre tabindex="0"><code>${parts}${sql.slice(at)}</code></pre>`;
}
