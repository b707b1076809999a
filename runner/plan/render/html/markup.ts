/** Markup that is complete in itself: it is written as it stands. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What stands between markup: text is escaped, lists are joined, and nothing is written for undefined. */
export type Content = Markup | string | number | undefined | readonly Content[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for an element or an attribute. A control character, which no page may hold, becomes a replacement character. */
export function escapeText(text: string): string {
  return (
    text
      .replace(/[&<>"']/g, (one) => entities[one] as string)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/g, "\ufffd")
  );
}

function textOf(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Markup) return content.text;
  return Array.isArray(content) ? content.map(textOf).join("") : escapeText(String(content));
}

/** Writes HTML or SVG: what is put in is escaped, unless it is markup itself. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(parts.reduce((all, part, at) => all + textOf(contents[at - 1]) + part));
}
