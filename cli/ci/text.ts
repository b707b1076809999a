import { escaped } from "../../runner/plan/render/markdown.ts";

/** What a report is about. The parts of a name that nobody else uses: two projects of a repository may have a stack `prod` each. */
export interface Subject {
  readonly mode: "plan" | "drift";
  /** As Pulumi.yaml names it. */
  readonly project: string;
  readonly stack: string;
  /** Of several databases of the stack. */
  readonly database: string | undefined;
}

/** The line that tells our comment or issue from all others. Markdown does not show it. */
export function markerOf({ mode, project, stack, database = "" }: Subject): string {
  const [of, on] = [project, database].map(encodeURIComponent); // a name must not end the comment
  return `<!-- pgstack ${mode} project=${of} stack=${stack} database=${on} -->`;
}

/** The stack, and the database where it is one of several, as people read it. */
export function subjectText({ stack, database }: Subject): string {
  return database === undefined ? `stack ${stack}` : `stack ${stack}, database ${database}`;
}

/** The report of a run that has made none. */
export function failureMarkdown(subject: Subject, message: string): string {
  const what = subject.mode === "plan" ? "There is no plan" : "Drift is not known";
  return `## :no_entry: ${what}: ${escaped(subjectText(subject))}\n\n${escaped(message)}`;
}

/** How long a text may be, in what it is counted. */
export interface Limit {
  readonly most: number;
  readonly sizeOf: (text: string) => number;
}

/** A comment or an issue: "body is too long (maximum is 65536 characters)". UTF-16 units are never fewer. */
export const bodyLimit: Limit = { most: 65_536, sizeOf: (text) => text.length };

/** https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits */
export const summaryLimit: Limit = { most: 1024 * 1024, sizeOf: (text) => Buffer.byteLength(text) };

/** What is open at a line of Markdown, and has to be closed where the text is cut. */
interface Place {
  readonly fence: string | undefined;
  readonly details: number;
  /** The heading that the line is below. */
  readonly heading: string;
}

function placeAfter(line: string, { fence, details, heading }: Place): Place {
  const [ticks] = line.match(/^`{3,}/) ?? [];
  if (fence !== undefined) {
    const ends = ticks !== undefined && ticks.length >= fence.length && line.trim() === ticks;
    return { fence: ends ? undefined : fence, details, heading };
  }
  const opened = line.startsWith("<details>") ? 1 : line.startsWith("</details>") ? -1 : 0;
  const [, title = heading] = line.match(/^#+ (.*)/) ?? [];
  return { fence: ticks, details: details + opened, heading: title };
}

function closing({ fence, details }: Place): string[] {
  return [...(fence === undefined ? [] : [fence]), ...Array<string>(details).fill("\n</details>")];
}

/** Room for the sentence about the cut and for what it closes. */
const reserve = 1000;

/**
 * Markdown that fits between `before` and `after`. Where it is too long, it ends at a whole line, with a sentence that says how much
 * is missing and from where on. Pure.
 *
 * @param whole where all of it can be read, such as "the job's log"
 */
export function fitted(
  markdown: string,
  { most, sizeOf }: Limit,
  whole: string,
  around: { readonly before: string; readonly after: string },
): string {
  const { before, after } = around;
  const room = most - sizeOf(before) - sizeOf(after);
  if (sizeOf(markdown) <= room) return `${before}${markdown}${after}`;
  const lines = markdown.split("\n");
  let place: Place = { fence: undefined, details: 0, heading: "" };
  let [kept, size] = [0, reserve];
  for (const line of lines) {
    size += sizeOf(line) + 1;
    if (size > room) break;
    place = placeAfter(line, place);
    kept++;
  }
  const sentence =
    `:scissors: **Cut:** ${lines.length - kept} of ${lines.length} lines are not shown, ` +
    `from the section "${place.heading.slice(0, 200)}" on. The whole text is in ${whole}.`;
  return `${before}${[...lines.slice(0, kept), ...closing(place), "", sentence].join("\n")}${after}`;
}
