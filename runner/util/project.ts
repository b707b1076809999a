import { isAbsolute, join, resolve } from "node:path";

/** The project's root folder: the one with Pulumi.yaml. */
export const projectRoot = resolve(import.meta.dirname, "../..");

/** A path of the project's configuration: relative ones count from the project's root, wherever the caller stands. */
export function projectPath(path: string): string {
  return isAbsolute(path) ? path : join(projectRoot, path);
}
