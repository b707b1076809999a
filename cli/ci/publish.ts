import * as v from "valibot";
import type { GitHub } from "./github.ts";

/** What is read of a comment or an issue. */
const Entry = v.object({
  id: v.number(),
  body: v.nullish(v.string(), ""),
  user: v.nullish(v.object({ type: v.optional(v.string()) })),
  author_association: v.optional(v.string()),
});

const Issue = v.object({
  ...Entry.entries,
  number: v.number(),
  state: v.string(),
  pull_request: v.optional(v.unknown()),
});

/** People without rights on the repository. https://docs.github.com/graphql/reference/enums#commentauthorassociation */
const strangers = new Set(["NONE", "CONTRIBUTOR", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "MANNEQUIN"]);

/**
 * Whether we have written it. Everybody can write the marker into a text of theirs, and change the text after us: what a stranger
 * wrote is never ours.
 */
function isOurs(marker: string, { body, user, author_association }: v.InferOutput<typeof Entry>): boolean {
  const byStranger = user?.type !== "Bot" && strangers.has(author_association ?? "");
  return body?.startsWith(marker) === true && !byStranger;
}

/** Keeps one comment on a pull request, whose text begins with the marker: the oldest is updated, and the others go. */
export async function keepComment(
  github: GitHub,
  pullRequest: number,
  marker: string,
  body: string,
): Promise<void> {
  const path = `/issues/${pullRequest}/comments`;
  const comments = await github.list(path, Entry);
  const [first, ...others] = comments.filter((comment) => isOurs(marker, comment));
  if (first === undefined) await github.send("POST", path, { body });
  else await github.send("PATCH", `/issues/comments/${first.id}`, { body });
  for (const { id } of others) await github.send("DELETE", `/issues/comments/${id}`);
}

/** By this label the issue is found again. */
export const driftLabel = "pgstack-drift";

/** Our issues, an open one first, and else the newest. */
async function ourIssues(github: GitHub, marker: string): Promise<v.InferOutput<typeof Issue>[]> {
  const path = `/issues?state=all&labels=${driftLabel}`;
  const issues = await github.list(path, Issue);
  return issues
    .filter((issue) => issue.pull_request === undefined && isOurs(marker, issue))
    .sort((a, b) => Number(b.state === "open") - Number(a.state === "open") || b.number - a.number);
}

/** Keeps one issue open while something has drifted: its text is updated, and where somebody has closed it, it is opened again. */
export async function openIssue(github: GitHub, marker: string, title: string, body: string): Promise<void> {
  const [issue] = await ourIssues(github, marker);
  if (issue === undefined) return github.send("POST", "/issues", { title, body, labels: [driftLabel] });
  await github.send("PATCH", `/issues/${issue.number}`, { title, body, state: "open" });
}

/** Closes what is open, with a comment. @returns how many issues were open */
export async function closeIssue(github: GitHub, marker: string, comment: string): Promise<number> {
  const open = (await ourIssues(github, marker)).filter(({ state }) => state === "open");
  for (const { number } of open) {
    await github.send("POST", `/issues/${number}/comments`, { body: comment });
    await github.send("PATCH", `/issues/${number}`, { state: "closed", state_reason: "completed" });
  }
  return open.length;
}
