import { readFile } from "node:fs/promises";
import { archiveVersions } from "../../dump/archive/read.ts";
import { identityOf } from "../../dump/files/checksum.ts";
import type { Output } from "../../dump/progress.ts";
import { type ConnectionSettings, withClient } from "../../postgres/connection.ts";
import type { Programs } from "../../postgres/programs.ts";
import { RefusedError } from "../../util/errors.ts";
import type { RestoreRequest } from "../request.ts";
import { installedPgRestores, pgRestoreFor, refuseFullServer, refuseLoss, refuseUnfit } from "./checks.ts";
import { lossesBy } from "./data-loss.ts";
import { readDump, refuseNoDump, type WholeDump } from "./dump-file.ts";
import { planRestore, type RestorePlan } from "./plan.ts";
import { inspectTarget, type TargetFacts } from "./target.ts";

/** What a restore goes by. */
export interface Prepared {
  readonly dump: WholeDump;
  /** Tells whether another dump has taken its place since. */
  readonly identity: string;
  readonly facts: TargetFacts;
  readonly plan: RestorePlan;
  /** The sanitize script. */
  readonly script: string | undefined;
  readonly programs: Programs;
}

/** Everything that can be known before the target is touched. Throws RefusedError, UserError. */
export async function prepare(
  request: RestoreRequest,
  output: Output,
  signal: AbortSignal,
): Promise<Prepared> {
  const { path, target, owner } = request;
  for (const done of await refuseNoDump(path)) output.log(done);
  const identity = await identityOf(path);
  const script = await readScript(request.sanitize);
  const installed = await installedPgRestores();
  const [versions, facts] = await Promise.all([
    archiveVersions(path, installed[0]),
    withClient(target, (client) => inspectTarget(client, owner)),
  ]);
  const programs = pgRestoreFor(installed, versions, facts);
  output.log(`reading ${path}`);
  const dump = await readDump(path, request.sha256, programs, signal);
  refuseUnfit(facts, dump.archive, target.user, owner);
  if (isLocal(target)) await refuseFullServer(facts, dump.archive.textBytes);
  if (!request.overwrite) {
    const lost = await withClient(target, (client) => lossesBy(dump.archive, client, request.history));
    refuseLoss(lost, target.database, request.overwriteFlag);
  }
  return {
    dump,
    identity,
    facts,
    programs,
    script,
    plan: planRestore(dump.archive, facts.owner?.superuser === true),
  };
}

function isLocal({ host }: ConnectionSettings): boolean {
  return host.startsWith("/") || ["localhost", "127.0.0.1", "::1"].includes(host);
}

/** The sanitize script, where there is one. Throws RefusedError where it cannot be read. */
export async function readScript(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return readFile(path, "utf8").catch((error: Error) => {
    throw new RefusedError(`The sanitize script cannot be read: ${error.message}`, { cause: error });
  });
}
