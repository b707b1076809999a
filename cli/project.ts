import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { StackName } from "../runner/cli/stack-name.ts";
import { RefusedError } from "../runner/util/errors.ts";
import { projectRoot } from "../runner/util/project.ts";

/** What the command line has to know of the Pulumi project. */
export interface Project {
  /** The folder with Pulumi.yaml. */
  readonly root: string;
  /** As Pulumi.yaml names it. */
  readonly name: string;
  /** Where Pulumi.yaml says that state is kept; undefined where it does not say. */
  readonly backend: string | undefined;
  /** The folder for what belongs to this checkout alone: local instances, its own state. */
  readonly state: string;
}

/** Reads Pulumi.yaml. Throws RefusedError where there is none, and where it has no name. */
export function readProject(root: string = projectRoot): Project {
  if (!existsSync(join(root, "Pulumi.yaml")))
    throw new RefusedError(`Expected Pulumi.yaml in ${process.cwd()} or above, found none.`);
  const settings = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as Record<string, unknown> | null;
  const name = settings?.name;
  if (typeof name !== "string" || name === "")
    throw new RefusedError(`Expected the project's name in ${join(root, "Pulumi.yaml")}, found none.`);
  return {
    root,
    name,
    backend: (settings?.backend as { url?: string } | undefined)?.url,
    state: join(root, ".pgstack"),
  };
}

/** Where the configuration of a stack is. */
export function stackFileOf({ root }: Project, { stack }: StackName): string {
  return join(root, `Pulumi.${stack}.yaml`);
}

/** Whether a stack's file says that its instance is local: a server that is started and stopped here. */
export function isLocal(project: Project, name: StackName): boolean {
  const file = stackFileOf(project, name);
  if (!existsSync(file)) return false;
  const { config } = (parse(readFileSync(file, "utf8")) ?? {}) as { config?: Record<string, unknown> };
  return (config?.["pgstack:instance"] as { kind?: unknown } | null | undefined)?.kind === "local";
}

/** Throws RefusedError where a stack's full name is one of another project. */
export function refuseForeign({ name }: Project, { project, given }: StackName): void {
  if (project !== undefined && project !== name)
    throw new RefusedError(`Expected a stack of the project "${name}" (Pulumi.yaml), found "${given}".`);
}
