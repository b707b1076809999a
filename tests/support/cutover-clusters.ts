import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import type { ServerSettings } from "../../runner/postgres/cluster.ts";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { embeddedReleases } from "../../runner/postgres/embedded/releases.ts";
import { oldestMajor } from "../../runner/postgres/server-version.ts";
import { sql } from "./databases.ts";
import { asManaged } from "./managed-service.ts";
import { startThrowawayCluster, type ThrowawayCluster, type WantedCluster } from "./throwaway-cluster.ts";

/** Two servers, each with the roles own, app and third; each test takes a pair of databases. */
export interface CutoverClusters extends AsyncDisposable {
  readonly source: ThrowawayCluster;
  readonly target: ThrowawayCluster;
  /** Makes a database on both sides; its owner is `own`. */
  readonly pair: (name: string) => Promise<CutoverSettings>;
}

/** The same database as another role, whose password is its name. */
export const asRole = (settings: ConnectionSettings, user: string): ConnectionSettings => ({
  ...settings,
  user,
  password: user,
});

/** How a service's administrator comes to what a switch needs: his own roles, and two of the service's. */
async function prepareManaged(cluster: ThrowawayCluster): Promise<void> {
  const { user } = cluster.admin;
  await sql(cluster.admin, roles, `GRANT own, app, third TO ${user}`);
  await sql(cluster.superuser, `ALTER ROLE ${user} REPLICATION`);
  if (cluster.place.programs.major >= 16)
    await sql(cluster.superuser, `GRANT pg_create_subscription TO ${user}`);
}

const roles =
  "CREATE ROLE own LOGIN PASSWORD 'own'; CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE third LOGIN PASSWORD 'third'";

/**
 * Starts both servers, of the newest installed version, or of the given ones: the oldest and the newest that are
 * supported where an administrator of a managed service moves a database (such a one may subscribe since PostgreSQL 16).
 */
export async function startCutoverClusters(
  more: ServerSettings = {},
  admin: WantedCluster["admin"] = asManaged ? "managed" : "superuser",
): Promise<CutoverClusters> {
  const settings = {
    ...more,
    ...{ wal_level: "logical", max_wal_senders: 20, max_replication_slots: 20 },
    synchronous_commit: "on", // what was acknowledged outlives a server that is stopped at once
  };
  const [older, newer] = admin === "managed" ? [oldestMajor, embeddedReleases[0]?.major] : [];
  const [source, target] = await Promise.all([
    startThrowawayCluster({ settings, admin, major: older }),
    startThrowawayCluster({ settings, admin, major: newer }),
  ]);
  for (const cluster of [source, target]) {
    await (admin === "managed" ? prepareManaged(cluster) : sql(cluster.admin, roles));
    await sql(cluster.superuser, "CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'");
  }
  const pair = async (name: string): Promise<CutoverSettings> => {
    for (const { admin } of [source, target]) await sql(admin, `CREATE DATABASE ${name} OWNER own`);
    return {
      stack: "next",
      method: "copy",
      source: { ...source.admin, database: name },
      target: { ...target.admin, database: name },
      owners: { source: "own", target: "own" },
      declaredRoles: ["app"],
      schemas: ["public"],
      jobs: 2,
      record: `${source.place.directory}/${name}.json`,
      replicaIdentityFull: [],
      maxFreeze: 60_000,
    };
  };
  const close = async () => {
    await Promise.all([source.close(), target.close()]);
  };
  return { source, target, pair, [Symbol.asyncDispose]: close };
}

/** The table that writers write to. */
export const acknowledgedTable = `
  SET ROLE own; CREATE TABLE public.acknowledged (id bigserial, writer text, n int, PRIMARY KEY (writer, n)); GRANT ALL ON acknowledged TO app; GRANT USAGE ON SEQUENCE acknowledged_id_seq TO app; RESET ROLE`;
