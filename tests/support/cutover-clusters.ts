import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import type { ServerSettings } from "../../runner/postgres/cluster.ts";
import type { ConnectionSettings } from "../../runner/postgres/connection.ts";
import { sql } from "./databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "./throwaway-cluster.ts";

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

export async function startCutoverClusters(more: ServerSettings = {}): Promise<CutoverClusters> {
  const settings = {
    ...more,
    ...{ wal_level: "logical", max_wal_senders: 20, max_replication_slots: 20 },
    synchronous_commit: "on", // what was acknowledged outlives a server that is stopped at once
  };
  const [source, target] = await Promise.all([
    startThrowawayCluster({ settings }),
    startThrowawayCluster({ settings }),
  ]);
  for (const { admin } of [source, target])
    await sql(
      admin,
      `CREATE ROLE own LOGIN PASSWORD 'own'; CREATE ROLE app LOGIN PASSWORD 'app'; CREATE ROLE third LOGIN PASSWORD 'third';
       CREATE ROLE boss LOGIN SUPERUSER PASSWORD 'boss'`,
    );
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
  CREATE TABLE public.acknowledged (id bigserial, writer text, n int, PRIMARY KEY (writer, n));
  ALTER TABLE acknowledged OWNER TO own; GRANT ALL ON acknowledged TO app; GRANT USAGE ON SEQUENCE acknowledged_id_seq TO app`;
