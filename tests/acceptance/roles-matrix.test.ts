import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ReviewedRole } from "../../runner/config/role-declaration.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { readEffectiveRoles, shownRights } from "../../runner/roles/catalog/effective-rights.ts";
import { readObjects } from "../../runner/roles/catalog/objects.ts";
import { applyRights } from "../../runner/roles/plan/apply.ts";
import { plain, renderDifferences, renderMatrix } from "../../runner/roles/review/matrix.ts";
import { reviewRoles } from "../../runner/roles/review/review.ts";
import { sql } from "../support/databases.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
let app: ConnectionSettings;

const reader: ReviewedRole = {
  ...{ role: "reader", access: "readonly", schemas: ["public"], allSchemas: true },
  ...{ exclude: ["users.email"], memberOf: [] },
};

const rights = { owner: "owner", creators: [], roles: [reader] };

const review = () =>
  withClient({ ...cluster.admin, database: "app" }, (client) => reviewRoles(client, rights));
const differences = async () => renderDifferences(await review(), plain);

before(async () => {
  cluster = await startThrowawayCluster();
  app = { ...cluster.superuser, database: "app" };
  await sql(
    cluster.superuser,
    "CREATE ROLE owner LOGIN",
    "CREATE ROLE reader LOGIN",
    "CREATE DATABASE app OWNER owner",
  );
  await sql(
    app,
    "REVOKE ALL ON DATABASE app FROM PUBLIC",
    `GRANT CONNECT, CREATE ON DATABASE app TO ${cluster.admin.user}`,
    "GRANT CONNECT ON DATABASE app TO reader",
    "SET ROLE owner",
    "CREATE TABLE users (id serial, email text)",
    "CREATE TABLE games (id int)",
  );
  await withClient({ ...cluster.admin, database: "app" }, (client) => applyRights(client, rights));
});
after(() => cluster.close());

test("A role that has what it is declared to have shows no difference", async () => {
  assert.deepEqual(await differences(), []);
  const hasMaintain = cluster.place.programs.major >= 17;
  const lines = renderMatrix(await review(), (role) => (role === "owner" ? "owner" : "readonly"), plain);
  assert.deepEqual(
    lines.map((line) => line.replace(/ {2,}/g, " | ")),
    [
      `role | declared | schema | objects | USAGE | CREATE | SELECT | INSERT | UPDATE | DELETE | TRUNCATE${hasMaintain ? " | MAINTAIN" : ""} | EXECUTE`,
      "owner | owner | public | schema | all | all",
      `public | 2 tables | all | all | all | all | all${hasMaintain ? " | all" : ""}`,
      "public | 1 sequence | all | all | all",
      "reader | readonly | public | schema | all | -",
      `public | 2 tables | 1/2 | - | - | - | -${hasMaintain ? " | -" : ""}`,
      "public | 1 sequence | - | all | -",
    ].map((line) => (line.startsWith("public") ? ` | ${line}` : line)),
  );
});

test("Rights count whichever way they came: by PUBLIC, by membership, by hand", async () => {
  await sql(
    app,
    'CREATE ROLE "The Writers"',
    "CREATE ROLE writers",
    "GRANT INSERT ON games TO writers",
    'GRANT writers, "The Writers" TO reader',
    "GRANT SELECT (email) ON users TO PUBLIC",
    "REVOKE SELECT ON games FROM reader",
    "ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT DELETE ON TABLES TO reader",
    "ALTER ROLE reader CREATEDB",
  );
  assert.deepEqual(await differences(), [
    "+ reader: surplus member of The Writers",
    "+ reader: surplus member of writers",
    "+ reader: surplus attribute CREATEDB",
    "- reader: missing SELECT on table public.games",
    "+ reader: surplus INSERT on table public.games",
    "+ reader: surplus SELECT on column public.users.email",
    '+ reader: surplus default privileges, as by: ALTER DEFAULT PRIVILEGES FOR ROLE "owner" REVOKE DELETE ON TABLES FROM "reader"',
  ]);
});

test("What is shown is what the server itself would answer, for every role, object and right", async () => {
  await sql(
    app,
    "CREATE ROLE noinherit LOGIN NOINHERIT IN ROLE writers",
    "CREATE ROLE nested IN ROLE writers",
    "CREATE ROLE deep LOGIN IN ROLE nested",
    "CREATE ROLE all_reader LOGIN IN ROLE pg_read_all_data",
    "CREATE ROLE all_writer LOGIN IN ROLE pg_write_all_data",
    "CREATE ROLE root LOGIN SUPERUSER",
    "GRANT CONNECT ON DATABASE app TO noinherit, deep, all_reader, all_writer",
    "REVOKE INSERT ON users FROM owner",
    "GRANT TRUNCATE, UPDATE ON games TO nested WITH GRANT OPTION",
    "GRANT USAGE ON SEQUENCE users_id_seq TO writers",
    "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    "REVOKE EXECUTE ON FUNCTION f FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION f TO deep",
    "CREATE SCHEMA closed",
    "CREATE TABLE closed.t (id int, x int)",
    "GRANT SELECT (x) ON closed.t TO nested",
  );
  const { major } = cluster.place.programs;
  if (major >= 17)
    await sql(app, "CREATE ROLE keeper LOGIN IN ROLE pg_maintain", "GRANT MAINTAIN ON games TO nested");
  const names = ["owner", "reader", "noinherit", "deep", "all_reader", "all_writer", "root"];
  if (major >= 17) names.push("keeper");
  const asked = {
    database: "oid FROM pg_database WHERE datname = $2",
    schema: "$2::regnamespace",
    function: "$2::regprocedure",
  };
  await withClient(app, async (client) => {
    const objects = await readObjects(client, { allColumns: true });
    const roles = await readEffectiveRoles(client, names, objects);
    for (const role of roles)
      for (const { key, kind, schema, name } of objects) {
        const what = kind in asked ? asked[kind as keyof typeof asked] : "$2::regclass";
        const text = kind in asked ? name : `${schema}.${name}`;
        const { rows } = await client.query(
          `SELECT array_agg(p ORDER BY at) FILTER (WHERE has_${kind}_privilege($1, (SELECT ${what})::oid, p)) AS held
           FROM unnest($3::text[]) WITH ORDINALITY u(p, at)`,
          [role.name, text, shownRights(major)[kind]],
        );
        assert.deepEqual(role.rights.get(key), rows[0].held ?? [], `${role.name} on ${kind} ${text}`);
      }
    const column = (name: string) => roles.find((role) => role.name === name)?.readableColumns.get(tableKey);
    const tableKey = objects.find(({ schema, kind }) => schema === "closed" && kind === "table")?.key ?? "";
    assert.deepEqual([column("deep"), column("noinherit")], [["x"], undefined]);
  });
});

test("An access control list is read whatever its roles are called, and what two grantors gave counts once", async () => {
  const odd = 'My "Own=er, {a/b}';
  await sql(
    app,
    `CREATE ROLE "${odd.replaceAll('"', '""')}"`,
    "CREATE ROLE grantor",
    "CREATE TABLE listed (id int)",
    `GRANT SELECT, UPDATE ON listed TO "${odd.replaceAll('"', '""')}" WITH GRANT OPTION`,
    "GRANT SELECT ON listed TO PUBLIC",
    "GRANT SELECT ON listed TO grantor WITH GRANT OPTION",
    "GRANT INSERT, SELECT ON listed TO reader",
    "SET ROLE grantor",
    "GRANT SELECT ON listed TO reader",
    "RESET ROLE",
    "GRANT UPDATE (id) ON listed TO reader",
  );
  const objects = await withClient(app, (client) => readObjects(client, { allColumns: false }));
  const listed = objects.find(({ name }) => name === "listed");
  assert.deepEqual(listed?.acl.get(""), ["SELECT"]);
  assert.deepEqual(listed?.acl.get(odd), ["SELECT", "UPDATE"]);
  assert.deepEqual(listed?.acl.get("reader"), ["INSERT", "SELECT"]);
  assert.deepEqual(listed?.columns.id?.get("reader"), ["UPDATE"]);
  await sql(app, "DROP TABLE listed", `DROP ROLE "${odd.replaceAll('"', '""')}"`, "DROP ROLE grantor");
});
