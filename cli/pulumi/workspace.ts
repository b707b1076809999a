import { CommandError, LocalWorkspace } from "@pulumi/pulumi/automation/index.js";
import { UserError } from "../../runner/util/errors.ts";
import { type Pulumi, reasonOf } from "./pulumi.ts";

/** What of Pulumi's Automation API is used here; what has to keep secrets off files and command lines goes by pipe instead. */
export type Workspace = Pick<LocalWorkspace, "createStack" | "setConfig">;

/** Pulumi's own words, without those of the API around them. */
async function inPulumisWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const stderr = /\n stderr: (.*)\n err\?:/s.exec(error.message)?.[1] ?? error.message;
    throw new UserError(reasonOf(stderr), { cause: error });
  }
}

/** Opens the project by Pulumi's Automation API, with the pulumi and the backend that this run has found. */
export async function openWorkspace({ project, environment }: Pulumi): Promise<Workspace> {
  process.env.PATH = environment.PATH; // the API looks for pulumi by this process's own
  const workspace = await inPulumisWords(
    LocalWorkspace.create({ workDir: project.root, envVars: { ...environment } }),
  );
  return {
    createStack: (name) => inPulumisWords(workspace.createStack(name)),
    setConfig: (...args) => inPulumisWords(workspace.setConfig(...args)),
  };
}
