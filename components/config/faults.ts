import * as v from "valibot";

/** Keys whose values are never repeated in a message. */
const secretKeys = ["adminPassword", "passwords", "cutover.pgbouncer"];

function found(issue: v.BaseIssue<unknown>, path: string): string {
  if (issue.input === undefined) return "nothing";
  if (secretKeys.some((key) => `${path}.`.startsWith(`${key}.`)))
    return "another value, not shown since it is a secret";
  return JSON.stringify(issue.input)?.slice(0, 80) ?? String(issue.input);
}

function allowed(issue: v.BaseIssue<unknown>): string {
  const expected = issue.expected?.replaceAll('"', "") ?? "another value";
  return issue.message.startsWith("Invalid") ? expected : issue.message;
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === "strict_object" && issue.expected === "never";
}

/** One line a fault: the key, what was found, what is allowed. */
export function describeFault(key: string, issue: v.BaseIssue<unknown>): string {
  const path = [key, v.getDotPath(issue)].filter((part) => part).join(".");
  if (isUnknownKey(issue)) return `pgstack:${path}: unknown key`;
  return `pgstack:${path}: expected ${allowed(issue)}, found ${found(issue, path)}`;
}
