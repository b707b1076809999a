import type { MigrationSettings } from "../../config/migrations.ts";
import { RefusedError } from "../../util/errors.ts";
import type { MigrationFile } from "../files/types.ts";
import { isInBaseline } from "./manifest.ts";
import { resolveTarget } from "./order.ts";
import { sequenceOf } from "./plan.ts";

/**
 * The files that a target keeps: counted in the order of application for those that are applied, then by revision.
 * Throws RefusedError where the target names nothing, or lies before the baseline.
 */
export function keptFiles(
  files: readonly MigrationFile[],
  history: { readonly rows: readonly { readonly name: string }[] },
  { to, baseline, directory }: Pick<MigrationSettings, "to" | "baseline" | "directory">,
): MigrationFile[] {
  if (baseline !== null && !files.some(({ name }) => name === baseline))
    throw new RefusedError(
      `migrations.baseline names "${baseline}", and there is no such file in ${directory}.`,
    );
  const sequence = sequenceOf(files, history);
  const names = new Set(sequence.slice(0, resolveTarget(to, sequence)));
  const lost = files.find(({ name }) => isInBaseline(name, baseline) && !names.has(name));
  if (lost !== undefined)
    throw new RefusedError(
      `migrations.to is "${to}", which lies before the baseline ${baseline}: what is in the baseline cannot be reverted by the stack. ` +
        "Set an older baseline first.",
    );
  return files.filter(({ name }) => names.has(name));
}
