import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ReviewedRights, RightsCheckRequest } from "../../runner/config/role-declaration.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { applyRights } from "../../runner/roles/plan/apply.ts";
import { readExtensionCalls } from "../../runner/roles/probe/extension-calls.ts";
import { verifyRole } from "../../runner/roles/probe/verify.ts";
import { plain, renderDifferences, renderFiltered } from "../../runner/roles/review/matrix.ts";
import { checkRights } from "../../runner/roles/review/preview.ts";
import { reviewRoles } from "../../runner/roles/review/review.ts";
import { sql } from "../support/databases.ts";
import { asManaged } from "../support/managed-service.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
let databases = 0;

before(async () => {
  cluster = await startThrowawayCluster();
  await sql(
    cluster.superuser,
    "CREATE ROLE owner LOGIN PASSWORD 'pw'",
    "CREATE ROLE crew",
    "CREATE ROLE others",
  );
});
after(() => cluster.close());

const declared = {
  access: "readonly" as const,
  schemas: ["public"],
  allSchemas: true,
  exclude: [],
};
const attributes = {
  adopted: false,
  memberOf: ["crew"],
  connectionLimit: 7,
  statementTimeout: 30_000,
  idleInTransactionTimeout: 0,
  validUntil: "2040-01-31T00:00:00Z",
};

/** A database of the owner with a declared role, as a stack leaves it, and what the stack declares of the role. */
async function stack(role: string, more: Partial<typeof attributes> = {}, ...schema: string[]) {
  const name = `d${++databases}`;
  await sql(
    cluster.superuser,
    `CREATE DATABASE ${name} OWNER owner`,
    `CREATE ROLE ${role} LOGIN PASSWORD 'pw' CONNECTION LIMIT 7 VALID UNTIL '2040-01-31T00:00:00Z' IN ROLE crew`,
    `ALTER ROLE ${role} SET statement_timeout = 30000`,
  );
  const admin: ConnectionSettings = { ...cluster.admin, database: name };
  const superuser: ConnectionSettings = { ...cluster.superuser, database: name };
  const as = (user: string): ConnectionSettings => ({ ...admin, user, password: "pw" });
  await sql(as("owner"), "CREATE TABLE users (id int)", ...schema);
  const rights: ReviewedRights = {
    ...{ owner: "owner", creators: [] },
    roles: [{ ...declared, role, memberOf: attributes.memberOf }],
    attributes: [{ role, ...attributes, ...more }],
  };
  const apply = (warn?: (line: string) => void) =>
    withClient(admin, (client) => applyRights(client, rights, warn));
  const request: RightsCheckRequest = {
    database: { name, owner: "owner", extensions: [], ownerByAdmin: false },
    rights,
    leaving: [],
  };
  const check = (by: ConnectionSettings = cluster.admin) => checkRights(by, request);
  const review = () => withClient(admin, (client) => reviewRoles(client, rights));
  const verify = async () => {
    const lines: string[] = [];
    const one = { ...declared, role, memberOf: [], validUntil: "infinity", byAdmin: false };
    await verifyRole(as(role), one, (line) => lines.push(line));
    return lines;
  };
  await apply();
  return { name, admin, superuser, as, apply, check, review, verify };
}

/** Changes by hand, and the statement by which each is mended. */
const byHand: readonly (readonly [string, RegExp])[] = [
  ["ALTER ROLE r CREATEROLE", /ALTER ROLE "r" WITH NOCREATEROLE/],
  ["ALTER ROLE r CREATEDB BYPASSRLS", /ALTER ROLE "r" WITH NOCREATEDB\n.*NOBYPASSRLS/],
  ["ALTER ROLE r SUPERUSER", /ALTER ROLE "r" WITH NOSUPERUSER/],
  ["ALTER ROLE r REPLICATION", /ALTER ROLE "r" WITH NOREPLICATION/],
  ["ALTER ROLE r NOLOGIN", /ALTER ROLE "r" WITH LOGIN/],
  ["ALTER ROLE r CONNECTION LIMIT 100", /ALTER ROLE "r" WITH CONNECTION LIMIT 7/],
  ["ALTER ROLE r VALID UNTIL 'infinity'", /ALTER ROLE "r" WITH VALID UNTIL '2040-01-31/],
  ["ALTER ROLE r SET statement_timeout = '5min'", /ALTER ROLE "r" SET statement_timeout = 30000/],
  ["ALTER ROLE r SET idle_in_transaction_session_timeout = 1", /RESET idle_in_transaction_session_timeout/],
  ["ALTER ROLE r SET search_path = others", /ALTER ROLE "r" RESET search_path/],
  ["ALTER ROLE r SET role = 'others'", /ALTER ROLE "r" RESET role/],
  [
    "ALTER ROLE r IN DATABASE here SET default_transaction_read_only = off",
    /IN DATABASE "d\d+" RESET default_tr/,
  ],
  ["ALTER ROLE r RESET default_transaction_read_only", /SET default_transaction_read_only = on/],
  ["GRANT pg_execute_server_program TO r", /REVOKE "pg_execute_server_program" FROM "r"/],
  ["GRANT pg_write_all_data TO r", /REVOKE "pg_write_all_data" FROM "r"/],
  ["GRANT owner TO r", /REVOKE "owner" FROM "r"/],
  ["GRANT crew TO r WITH ADMIN OPTION", /REVOKE ADMIN OPTION FOR "crew" FROM "r"/],
  ["REVOKE crew FROM r", /GRANT "crew" TO "r"/],
];

/** What only a superuser can give, and so take. */
const ofSuperusers = /BYPASSRLS|SUPERUSER|REPLICATION|GRANT pg_/;

test("whatever is changed by hand, a preview names it, an update mends it, and roles agrees with both", async () => {
  const { name, superuser, apply, check, review } = await stack("r");
  const differences = async () => renderDifferences(await review(), plain);
  assert.deepEqual((await check()).statements, []);
  assert.deepEqual(await differences(), []);
  for (const [change, mending] of byHand.filter(([one]) => !asManaged || !ofSuperusers.test(one))) {
    await sql(superuser, change.replace("here", name));
    const { statements, drifted } = await check();
    assert.match(statements.join("\n"), mending, change);
    assert.deepEqual(drifted, ["r"], change);
    assert.notDeepEqual(await differences(), [], change);
    assert.match((await apply()).join("\n"), mending);
    assert.deepEqual((await check()).statements, [], change);
    assert.deepEqual(await differences(), [], change);
  }
});

test("'30s' and 30000 are the same timeout", async () => {
  const { superuser, check } = await stack("spelled");
  await sql(superuser, "ALTER ROLE spelled SET statement_timeout = '30s'");
  assert.deepEqual((await check()).statements, []);
});

test("a role that was there before keeps attributes and memberships that nobody declared", async () => {
  const { superuser, apply, check, review } = await stack("kept", { adopted: true });
  await sql(
    superuser,
    "GRANT others TO kept",
    "GRANT crew TO kept WITH ADMIN OPTION",
    "ALTER ROLE kept CREATEDB",
  );
  assert.deepEqual((await check()).statements, []);
  assert.deepEqual(await apply(), []);
  assert.ok(!renderDifferences(await review(), plain).some((line) => line.includes("others")));
});

test("whoever uses the database and connected by PUBLIC alone is given CONNECT by name when PUBLIC loses it", async () => {
  const { name, superuser, as, apply, review } = await stack("seen");
  await sql(
    superuser,
    "CREATE ROLE legacy LOGIN PASSWORD 'pw'",
    "CREATE ROLE legacy_group",
    "CREATE ROLE by_group LOGIN PASSWORD 'pw' IN ROLE legacy_group",
    "CREATE ROLE stranger LOGIN PASSWORD 'pw'",
    "GRANT SELECT ON users TO legacy, legacy_group",
    `GRANT CONNECT ON DATABASE ${name} TO PUBLIC`,
  );
  const statements = (await apply()).join("\n");
  assert.match(statements, /GRANT CONNECT ON DATABASE "d\d+" TO "by_group", "legacy"/);
  for (const role of ["legacy", "by_group"]) assert.deepEqual(await sql(as(role), "TABLE users"), []);
  await assert.rejects(sql(as("stranger"), "SELECT 1"), /permission denied for database/);
  await sql(superuser, `REVOKE CONNECT ON DATABASE ${name} FROM legacy`);
  const listed = (await review()).roles.map(({ name }) => name);
  for (const role of ["legacy", "legacy_group", "by_group", "owner", "seen"])
    assert.ok(listed.includes(role), role);
  assert.ok(!listed.includes("stranger"));
});

test("PUBLIC keeps CONNECT until the transaction in which the declared roles get theirs", async () => {
  const { name, admin, superuser } = await stack("early");
  await sql(
    superuser,
    `GRANT CONNECT ON DATABASE ${name} TO PUBLIC`,
    "CREATE ROLE anybody LOGIN PASSWORD 'pw'",
  );
  const rights = { owner: "owner", creators: [], roles: [], publicStays: true };
  assert.deepEqual(await withClient(admin, (client) => applyRights(client, rights)), []);
  await sql({ ...admin, user: "anybody", password: "pw" }, "SELECT 1");
});

test("functions of extensions keep what their script gives, for everybody", async () => {
  const { superuser, as, apply, verify } = await stack("caller");
  await sql(superuser, "CREATE EXTENSION citext");
  const equal = "SELECT 'a'::citext = 'A'::citext AS equal";
  for (const role of ["owner", "caller"]) assert.deepEqual(await sql(as(role), equal), [{ equal: true }]);
  assert.deepEqual(await verify(), []);
  assert.deepEqual(await apply(), []);
});

/** What everybody may run of an extension that its script leaves to PUBLIC. */
const calls = {
  citext: "SELECT 'a'::citext = 'A'::citext",
  "uuid-ossp": "SELECT uuid_generate_v4()",
  pg_trgm: "SELECT similarity('one', 'two')",
  hstore: "SELECT 'a => 1'::hstore -> 'a'",
};

test("each role calls functions of extensions, whoever made them, and the probe calls one of each", async () => {
  for (const maker of ["superuser", "owner"] as const) {
    const role = `calls_of_${maker}`;
    const { superuser, as, apply, verify } = await stack(role);
    const made = Object.keys(calls).map((name) => `CREATE EXTENSION "${name}"`);
    await sql(maker === "owner" ? as("owner") : superuser, ...made);
    await apply();
    for (const user of ["owner", role]) await sql(as(user), ...Object.values(calls));
    assert.deepEqual(await verify(), []);
    const probes = await withClient(as(role), readExtensionCalls);
    assert.deepEqual(probes.map(({ what }) => what.split(" ").at(-1)).sort(), Object.keys(calls).sort());
    await sql(superuser, "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC");
    await assert.rejects(verify(), (error: Error) =>
      Object.keys(calls).every((name) =>
        error.message.includes(
          `cannot run any function of extension ${name}: permission denied for function`,
        ),
      ),
    );
  }
});

// a service's extensions belong to its own superuser, and so do the default privileges of their functions
const unowned = { skip: asManaged && "the functions are the service's" };

test(
  "functions of extensions that default privileges of before took from PUBLIC come back",
  unowned,
  async () => {
    const { superuser, as, apply, verify } = await stack("regains");
    await sql(
      superuser,
      "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM PUBLIC",
      "CREATE EXTENSION citext",
    );
    await assert.rejects(verify(), /cannot run any function of extension citext/);
    await apply();
    assert.deepEqual(await sql(as("owner"), "SELECT 'a'::citext = 'A'::citext AS equal"), [{ equal: true }]);
    assert.deepEqual(await verify(), []);
    await sql(superuser, "CREATE EXTENSION pg_trgm", "SET ROLE regains", "SELECT similarity('a', 'b')");
    await sql(superuser, "REVOKE EXECUTE ON FUNCTION similarity(text, text) FROM PUBLIC");
    assert.deepEqual(await apply(), [], "what somebody revokes on purpose stays revoked");
  },
);

test("row security is named by the preview, the probe and roles: what a role really sees", async () => {
  const { check, review, verify, as } = await stack(
    "filtered",
    {},
    "CREATE TABLE notes (id int); INSERT INTO notes VALUES (1), (2)",
    "ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY odd ON notes USING (id % 2 = 1)",
    "INSERT INTO users VALUES (1); ALTER TABLE users ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY of_owner ON users FOR SELECT TO owner USING (true)",
  );
  const none = /"filtered" sees no row of public\.users: row security is on and no policy applies/;
  assert.deepEqual(await sql(as("filtered"), "TABLE users"), []);
  assert.match((await check()).warnings.join("\n"), none);
  assert.match((await verify()).join("\n"), none);
  const lines = renderFiltered(await review()).join("\n");
  assert.match(lines, none);
  assert.match(lines, /"filtered" sees those rows of public\.notes that row security lets it see \(odd\)/);
  assert.doesNotMatch(lines, /"owner"/);
});

test("a password that somebody changed says how the stack's comes back", async () => {
  const { superuser, verify } = await stack("changed");
  await sql(superuser, "ALTER ROLE changed PASSWORD 'other'");
  await assert.rejects(verify(), /refuses the password of role "changed".*passwordVersion/);
});

test("what no admin here can revoke is a warning with its reason, and the rest is done", async () => {
  const user = "managed";
  await sql(cluster.superuser, `CREATE ROLE ${user} LOGIN CREATEDB CREATEROLE PASSWORD 'pw'`);
  const managed = { ...cluster.admin, user, password: "pw" };
  await sql(
    managed,
    "CREATE ROLE m_owner LOGIN PASSWORD 'pw'",
    "CREATE ROLE m_reader LOGIN PASSWORD 'pw'",
    `GRANT m_owner TO ${user}`,
    "CREATE DATABASE of_service OWNER m_owner",
    `REVOKE m_owner FROM ${user}`,
  );
  const service = { ...cluster.superuser, database: "of_service" };
  await sql(
    service,
    `ALTER SCHEMA public OWNER TO ${service.user}`,
    "GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC",
  );
  await sql({ ...managed, user: "m_owner", database: "of_service" }, "CREATE TABLE t (id int)");
  const admin = { ...managed, database: "of_service" };
  const rights: ReviewedRights = {
    ...{ owner: "m_owner", creators: [] },
    roles: [{ ...declared, role: "m_reader", memberOf: [] }],
  };
  const request = {
    database: { name: "of_service", owner: "m_owner", extensions: [], ownerByAdmin: false },
    rights,
    leaving: [],
  };
  const { refusals, warnings } = await checkRights(managed, request);
  assert.deepEqual(refusals, []);
  const because = `cannot run REVOKE CREATE ON SCHEMA "public" FROM PUBLIC.*may not act for "${service.user}"`;
  assert.match(warnings.join("\n"), new RegExp(because));
  const warned: string[] = [];
  await withClient(admin, (client) => applyRights(client, rights, (line) => warned.push(line)));
  assert.match(warned.join("\n"), /REVOKE CREATE ON SCHEMA "public" FROM PUBLIC/);
  assert.deepEqual(await sql({ ...admin, user: "m_reader" }, "TABLE t"), []);
  await assert.rejects(
    sql(
      { ...admin, user: "m_reader" },
      "SET default_transaction_read_only = off",
      "CREATE TEMPORARY TABLE x ()",
    ),
    /permission denied/,
  );
  const again = await checkRights(managed, request);
  assert.deepEqual([again.statements, again.drifted, again.publicDrifted], [[], [], false]);
});
