import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Document, parseDocument } from "yaml";
import { UserError } from "../util/errors.ts";
import { projectPath } from "../util/project.ts";

const namespace = "pgstack:";

/** Where the configuration of a stack is, relative to the project. Throws UserError for a name that is no stack's. */
export function stackFile(stack: string): string {
  if (!/^[\w.-]+$/.test(stack))
    throw new UserError(`A stack's name has letters, digits, "-", "_" and "."; found "${stack}"`);
  return `Pulumi.${stack}.yaml`;
}

function openDocument(path: string): Document {
  return existsSync(path) ? parseDocument(readFileSync(path, "utf8")) : new Document({});
}

/** Secrets, and what other programs keep in the file, stay; of our own keys only those that are written. */
function keptKeys(document: Document): Record<string, unknown> {
  const config = (document.toJS() as { config?: Record<string, unknown> } | null)?.config ?? {};
  return Object.fromEntries(
    Object.entries(config).filter(
      ([key]) => !key.startsWith(namespace) || key === `${namespace}adminPassword`,
    ),
  );
}

/**
 * Writes a stack's configuration. A file that is there keeps its encryption salt and other programs' keys, and is
 * copied beside first.
 * @returns the copy's name, relative to the project; undefined where there was no file
 */
export function writeStackFile(stack: string, config: Readonly<Record<string, unknown>>): string | undefined {
  const path = projectPath(stackFile(stack));
  const document = openDocument(path);
  const copy = `${stackFile(stack)}.before-adopt`;
  const kept = existsSync(path);
  if (kept) writeFileSync(projectPath(copy), readFileSync(path));
  const keys = Object.entries(config).map(([key, value]): [string, unknown] => [`${namespace}${key}`, value]);
  const root = {
    ...(document.toJS() as object | null),
    config: { ...keptKeys(document), ...Object.fromEntries(keys) },
  };
  writeFileSync(`${path}.new`, new Document(root).toString());
  renameSync(`${path}.new`, path);
  return kept ? copy : undefined;
}
