import { createHash } from "node:crypto";
import type { MigrationSettings } from "../../config/migrations.ts";
import { UserError } from "../../util/errors.ts";
import { sumOf } from "../files/checksum.ts";
import type { MigrationFile } from "../files/types.ts";
import { compareNames } from "./order.ts";

/** What a stack asks for: which files, as they were when the preview was made, and how they run. */
export interface Manifest extends Omit<MigrationSettings, "to"> {
  /** Beginnings of the checksums of up and down, by name; those at or before the baseline are in `folded`. */
  readonly migrations: Readonly<Record<string, string>>;
  /** All up to the baseline, in one line. */
  readonly folded: { readonly count: number; readonly digest: string } | null;
  /** Changes when the database was restored from a dump, so that what is missing is applied. */
  readonly epoch: string | null;
}

function fingerprint(file: MigrationFile): string {
  const down = file.down === null ? "irreversible" : sumOf(file.down).slice(0, 16);
  return `${file.checksum.slice(0, 16)} ${down}`;
}

/** True for a migration that is part of the baseline. */
export function isInBaseline(name: string, baseline: string | null): boolean {
  return baseline !== null && compareNames(name, baseline) <= 0;
}

/** Makes the manifest of the files that a stack keeps. */
export function manifestOf(
  kept: readonly MigrationFile[],
  settings: Omit<MigrationSettings, "to">,
  epoch: string | null,
): Manifest {
  const [inBaseline, single] = [true, false].map((is) =>
    kept.filter(({ name }) => isInBaseline(name, settings.baseline) === is),
  );
  const digest = createHash("sha256");
  for (const file of inBaseline ?? []) digest.update(`${file.name} ${fingerprint(file)}\n`);
  return {
    ...settings,
    migrations: Object.fromEntries((single ?? []).map((file) => [file.name, fingerprint(file)])),
    folded:
      settings.baseline === null
        ? null
        : { count: inBaseline?.length ?? 0, digest: digest.digest("hex").slice(0, 32) },
    epoch,
  };
}

/**
 * The names that a manifest keeps, after a look whether the files are still what it says.
 * Throws UserError where they were changed since.
 */
export function keptBy(manifest: Manifest, files: readonly MigrationFile[]): Set<string> {
  const kept = files.filter(
    ({ name }) => isInBaseline(name, manifest.baseline) || name in manifest.migrations,
  );
  const now = manifestOf(kept, manifest, manifest.epoch);
  if (
    JSON.stringify(now.migrations) !== JSON.stringify(manifest.migrations) ||
    now.folded?.digest !== manifest.folded?.digest
  )
    throw new UserError(
      `The files in ${manifest.directory} are not those that the update began with: they were changed meanwhile. Run it again.`,
    );
  return new Set(kept.map(({ name }) => name));
}
