import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Archive } from "../../dump/archive/parser.ts";
import { formatBytes } from "../../dump/progress.ts";
import { installedPrograms, type Programs } from "../../postgres/programs.ts";
import { RefusedError, UserError } from "../../util/errors.ts";
import type { TargetFacts } from "./target.ts";

const majorOf = (version: string) => Number.parseInt(version, 10);

/** Every pg_restore, the newest first, which reads all older dumps. Throws UserError that says what to install. */
export async function installedPgRestores(): Promise<[Programs, ...Programs[]]> {
  const [newest, ...older] = await installedPrograms("pg_restore");
  if (newest === undefined)
    throw new UserError("pg_restore is needed and not installed: install PostgreSQL.");
  return [newest, ...older];
}

/**
 * The pg_restore for a dump: the target's own version, or the oldest that reads the dump. Throws RefusedError with the
 * versions where the dump comes from a newer one than the programs or the target.
 */
export function pgRestoreFor(
  installed: readonly Programs[],
  dump: { server: string; program: string },
  target: { version: string; major: number },
): Programs {
  const writer = majorOf(dump.program);
  const newest = Math.max(writer, majorOf(dump.server));
  if (newest > target.major)
    throw new RefusedError(
      `The dump is of PostgreSQL ${dump.server}, by pg_dump ${dump.program}; the target is PostgreSQL ${target.version}, ` +
        "which is older and may not take it. Restore into a server of at least the dump's version.",
    );
  const reading = installed.filter(({ major }) => major >= writer);
  const fit = reading.find(({ major }) => major === target.major) ?? reading.at(-1);
  if (fit === undefined)
    throw new RefusedError(
      `The dump was written by pg_dump ${dump.program}, and the newest pg_restore here is ` +
        `${installed[0]?.version ?? "none"}. Install PostgreSQL ${writer}'s client programs.`,
    );
  return fit;
}

/** Refuses a restore that this user, this server or this role cannot carry. */
export function refuseUnfit(facts: TargetFacts, archive: Archive, admin: string, owner: string): void {
  const faults = [
    ...rightsFaults(facts, admin, owner),
    ...facts.anchors.map((anchor) => `the database is held by ${anchor}: drop it first`),
    ...facts.unendable.map((session) => `"${admin}" may not end a session on the database: ${session}`),
    ...extensionFaults(facts, archive),
    ...encodingFaults(facts, archive),
  ];
  if (faults.length > 0)
    throw new RefusedError(
      `The restore cannot be done, and nothing was changed:${faults.map((fault) => `\n  - ${fault}`).join("")}`,
    );
}

function rightsFaults(
  { owner: role, admin, databaseOwner }: TargetFacts,
  user: string,
  owner: string,
): string[] {
  if (role === undefined)
    return [`the owner "${owner}" is no role of this server: create it, or name another`];
  return [
    ...(admin.createsDatabases
      ? []
      : [
          `"${user}" needs CREATEDB: the dump is restored into a new database, which then takes the target's place`,
        ]),
    ...(admin.becomesOwner
      ? []
      : [`"${user}" is not a member of "${owner}", and may not become one: GRANT "${owner}" TO "${user}"`]),
    ...(admin.becomesDatabaseOwner
      ? []
      : [
          `"${user}" is not a member of "${databaseOwner}", which owns the database: GRANT "${databaseOwner}" TO "${user}"`,
        ]),
  ];
}

function extensionFaults({ availableExtensions }: TargetFacts, archive: Archive): string[] {
  const wanted = archive.entries.filter(({ type }) => type === "EXTENSION").map(({ name }) => name);
  return wanted
    .filter((name) => !availableExtensions.includes(name))
    .map((name) => `the extension "${name}" is not installed on the target's server`);
}

function encodingFaults({ encoding }: TargetFacts, archive: Archive): string[] {
  if (encoding === archive.encoding || encoding === "UTF8" || archive.encoding === "") return [];
  return [
    `the dump's encoding is ${archive.encoding}, the target's ${encoding}, which need not have its characters`,
  ];
}

/** Tablespaces of the dump that the target's server lacks. */
export function missingTablespaces(facts: TargetFacts, archive: Archive): string[] {
  const wanted = new Set(archive.entries.map(({ tablespace }) => tablespace).filter((name) => name !== null));
  return [...wanted].filter((name) => name !== "" && !facts.tablespaces.includes(name));
}

/** Refuses where the server is on this machine and its disk cannot hold the dump's rows beside the old ones. */
export async function refuseFullServer(facts: TargetFacts, textBytes: number): Promise<void> {
  const { dataDirectory, databaseDirectory = dataDirectory } = facts;
  if (dataDirectory === undefined || databaseDirectory === undefined) return;
  if (!existsSync(join(dataDirectory, "PG_VERSION")) || !existsSync(databaseDirectory)) return;
  const disk = await statfs(databaseDirectory);
  const free = disk.bavail * disk.bsize;
  if (free < textBytes * 0.5)
    throw new RefusedError(
      `The dump holds ${formatBytes(textBytes)} uncompressed; the server's disk has ${formatBytes(free)} free in ` +
        `${databaseDirectory}. Nothing was changed.`,
    );
}

/** Refuses to drop what nobody agreed to drop, with the list and the flag that continues. */
export function refuseLoss(lost: readonly string[], database: string, flag: string): void {
  if (lost.length === 0) return;
  const shown = lost
    .slice(0, 50)
    .map((name) => `\n  ${name}`)
    .join("");
  const more = lost.length > 50 ? `\n  and ${lost.length - 50} more` : "";
  throw new RefusedError(
    `The restore would drop from database "${database}":${shown}${more}\n` +
      `Nothing was changed. To continue and lose it: ${flag}`,
  );
}

/** Runs every check, so that all that stands in the way is said at once. Throws RefusedError. */
export async function refuseAll(...checks: readonly (() => Promise<unknown>)[]): Promise<void> {
  const refusals: string[] = [];
  for (const check of checks)
    await check().catch((error) => {
      if (!(error instanceof RefusedError)) throw error;
      refusals.push(error.message);
    });
  if (refusals.length > 0) throw new RefusedError(refusals.join("\n"));
}
