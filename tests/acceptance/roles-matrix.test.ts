import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ConnectionSettings, withClient } from "../../runner/connection.ts";
import { applyRights } from "../../runner/roles/apply.ts";
import { plain, renderDifferences, renderMatrix } from "../../runner/roles/matrix.ts";
import { type ReviewedRole, reviewRoles } from "../../runner/roles/review.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../../runner/server/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
let app: ConnectionSettings;

const reader: ReviewedRole = {
  ...{ role: "reader", access: "readonly", schemas: ["public"], allSchemas: true },
  ...{ exclude: ["users.email"], memberOf: [] },
};

const rights = { owner: "owner", creators: [], roles: [reader] };

async function run(settings: ConnectionSettings, ...statements: string[]): Promise<void> {
  await withClient(settings, async (client) => {
    for (const sql of statements) await client.query(sql);
  });
}

const review = () => withClient(app, (client) => reviewRoles(client, rights));
const differences = async () => renderDifferences(await review(), plain);

before(async () => {
  cluster = await startThrowawayCluster();
  app = { ...cluster.admin, database: "app" };
  await run(
    cluster.admin,
    "CREATE ROLE owner LOGIN",
    "CREATE ROLE reader LOGIN",
    "CREATE DATABASE app OWNER owner",
  );
  await run(
    app,
    "REVOKE ALL ON DATABASE app FROM PUBLIC",
    "GRANT CONNECT ON DATABASE app TO reader",
    "SET ROLE owner",
    "CREATE TABLE users (id serial, email text)",
    "CREATE TABLE games (id int)",
  );
  await withClient(app, (client) => applyRights(client, rights));
});
after(() => cluster.close());

test("A role that has what it is declared to have shows no difference", async () => {
  assert.deepEqual(await differences(), []);
  const lines = renderMatrix(await review(), (role) => (role === "owner" ? "owner" : "readonly"), plain);
  assert.deepEqual(
    lines.map((line) => line.replace(/ {2,}/g, " | ")),
    [
      "role | declared | schema | objects | USAGE | CREATE | SELECT | INSERT | UPDATE | DELETE | TRUNCATE | EXECUTE",
      "owner | owner | public | schema | all | all",
      "public | 2 tables | all | all | all | all | all",
      "public | 1 sequence | all | all | all",
      "reader | readonly | public | schema | all | -",
      "public | 2 tables | 1/2 | - | - | - | -",
      "public | 1 sequence | - | all | -",
    ].map((line) => (line.startsWith("public") ? ` | ${line}` : line)),
  );
});

test("Rights count whichever way they came: by PUBLIC, by membership, by hand", async () => {
  await run(
    app,
    "CREATE ROLE writers",
    "GRANT INSERT ON games TO writers",
    "GRANT writers TO reader",
    "GRANT SELECT (email) ON users TO PUBLIC",
    "REVOKE SELECT ON games FROM reader",
    "ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT DELETE ON TABLES TO reader",
    "ALTER ROLE reader CREATEDB",
  );
  assert.deepEqual(await differences(), [
    "+ reader: surplus member of writers",
    "+ reader: surplus attribute CREATEDB",
    "- reader: missing SELECT on table public.games",
    "+ reader: surplus INSERT on table public.games",
    "+ reader: surplus SELECT on column public.users.email",
    '+ reader: surplus default privileges, as by: ALTER DEFAULT PRIVILEGES FOR ROLE "owner" REVOKE DELETE ON TABLES FROM "reader"',
  ]);
});
