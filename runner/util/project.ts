import { existsSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";

/** The folder or the nearest one above it that holds such a file. */
function folderWith(file: string, from: string): string | undefined {
  for (let at = from; ; at = dirname(at)) {
    if (existsSync(join(at, file))) return at;
    if (at === dirname(at)) return undefined;
  }
}

/** The folder of this package, or of this checkout: the one with its package.json. */
export const packageRoot = folderWith("package.json", import.meta.dirname) ?? import.meta.dirname;

/**
 * The project's root folder: the one with Pulumi.yaml, here or above. `./pgstack` names its own checkout by PGSTACK_PROJECT,
 * so that it can be called from anywhere.
 */
export const projectRoot =
  process.env.PGSTACK_PROJECT || (folderWith("Pulumi.yaml", process.cwd()) ?? packageRoot);

/** A path of the project's configuration: relative ones count from the project's root, wherever the caller stands. */
export function projectPath(path: string): string {
  return isAbsolute(path) ? path : join(projectRoot, path);
}

/** The program that runs a command of the runner, for `node`. */
export const runnerProgram = join(packageRoot, "bin/run.js");
