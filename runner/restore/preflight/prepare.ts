import { readFile } from "node:fs/promises";
import { archiveVersions, unrestoredKinds } from "../../dump/archive/read.ts";
import { identityOf } from "../../dump/files/checksum.ts";
import { type ConnectionSettings, withClient } from "../../postgres/connection.ts";
import type { Programs } from "../../postgres/programs.ts";
import { RefusedError } from "../../util/errors.ts";
import type { RestoreRequest, RunControl } from "../request.ts";
import { readingAs } from "../swap/memberships.ts";
import {
  installedPgRestores,
  pgRestoreFor,
  refuseAll,
  refuseFullServer,
  refuseLoss,
  refuseUnfit,
} from "./checks.ts";
import { dataLossBy } from "./data-loss.ts";
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
  /** Kinds of entries that no restore takes, a line for each, for people. */
  readonly unrestored: readonly string[];
}

/** Reads and checks all that can be known before the target is touched. Throws RefusedError, UserError. */
export async function prepare(request: RestoreRequest, { output, signal }: RunControl): Promise<Prepared> {
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
  await refuseAll(
    async () => refuseUnfit(facts, dump.archive, target.user, owner),
    async () => isLocal(target) && refuseFullServer(facts, dump.archive.textBytes),
    async () => request.overwrite || refuseDataLoss(request, dump),
  );
  const plan = planRestore(dump.archive, {
    ownerIsSuperuser: facts.owner?.superuser === true,
    adminIsSuperuser: facts.admin.superuser,
    roles: facts.roles,
  });
  return { dump, identity, facts, programs, script, plan, unrestored: await unrestoredKinds(path, programs) };
}

async function refuseDataLoss(request: RestoreRequest, { archive }: WholeDump): Promise<void> {
  const { target, owner, history, overwriteFlag } = request;
  const lost = await withClient(target, (client) =>
    readingAs(client, owner, () => dataLossBy(archive, client, history)),
  );
  refuseLoss(lost, target.database, overwriteFlag);
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
