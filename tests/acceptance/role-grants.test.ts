import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type pg from "pg";
import type { RoleDeclaration } from "../../runner/config/role-declaration.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { applyRights } from "../../runner/roles/plan/apply.ts";
import { prepareRoleDrop } from "../../runner/roles/plan/drop-role.ts";
import { runProbes } from "../../runner/roles/probe/run-probes.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let cluster: ThrowawayCluster;
let databases = 0;

before(async () => {
  cluster = await startThrowawayCluster();
  await run(cluster.superuser, "CREATE ROLE owner LOGIN PASSWORD 'pw'");
});
after(() => cluster.close());

async function run(settings: ConnectionSettings, ...statements: string[]): Promise<unknown[][]> {
  return withClient(settings, async (client) => {
    const answers: unknown[][] = [];
    for (const sql of statements) answers.push((await client.query(sql)).rows);
    return answers;
  });
}

/** SQLSTATE that a statement ends with as this role, in a transaction that may write; "ok" where it succeeds. */
async function outcome(settings: ConnectionSettings, sql: string): Promise<string> {
  return withClient(settings, async (client) => {
    await client.query("BEGIN READ WRITE");
    try {
      await client.query(sql);
      return "ok";
    } catch (error) {
      return (error as pg.DatabaseError).code ?? String(error);
    } finally {
      await client.query("ROLLBACK");
    }
  });
}

/** A new database of the owner, and the ways into it. */
async function database(...schema: string[]) {
  const name = `d${++databases}`;
  await run(
    cluster.superuser,
    `CREATE DATABASE ${name} OWNER owner`,
    `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`,
    `GRANT CONNECT, CREATE ON DATABASE ${name} TO ${cluster.admin.user}`,
  );
  const admin = { ...cluster.admin, database: name };
  const superuser = { ...cluster.superuser, database: name };
  const as = (user: string) => ({ ...admin, user, password: "pw" });
  if (schema.length > 0) await run(as("owner"), ...schema);
  return { name, admin, superuser, as };
}

async function role(name: string, database: string): Promise<void> {
  await run(
    cluster.superuser,
    `CREATE ROLE ${name} LOGIN PASSWORD 'pw'`,
    `GRANT CONNECT ON DATABASE ${database} TO ${name}`,
  );
}

function declaration(role: string, more: Partial<RoleDeclaration> = {}): RoleDeclaration {
  const base = { role, access: "readonly", schemas: ["public"], allSchemas: true } as const;
  return { ...base, exclude: [], ...more };
}

function grant(
  admin: ConnectionSettings,
  one: RoleDeclaration | undefined,
  owner = "owner",
): Promise<string[]> {
  const rights = { owner, creators: [], roles: one === undefined ? [] : [one] };
  return withClient(admin, (client) => applyRights(client, rights));
}
const restrict = (admin: ConnectionSettings, owner?: string) => grant(admin, undefined, owner);

const denied = "42501";

test("A readonly role reads what exists and whatever the owner makes later, and nothing else", async () => {
  const { name, admin, as } = await database("CREATE TABLE old (id int)");
  await role("reader", name);
  await grant(admin, declaration("reader"));
  await run(
    as("owner"),
    "CREATE TABLE young (id serial)",
    "CREATE VIEW seen AS SELECT * FROM young",
    "CREATE TABLE parts (id int) PARTITION BY RANGE (id)",
    "CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9)",
    "CREATE SCHEMA later",
    "CREATE TABLE later.t (id int)",
    "CREATE FUNCTION write() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO old VALUES (1)'",
  );
  const reader = as("reader");
  for (const relation of ["old", "young", "seen", "parts", "part", "later.t", "young_id_seq"])
    assert.equal(await outcome(reader, `SELECT * FROM ${relation}`), "ok", relation);
  for (const sql of [
    "INSERT INTO old VALUES (1)",
    "UPDATE young SET id = 1",
    "DELETE FROM later.t",
    "TRUNCATE old",
    "CREATE TABLE mine (id int)",
    "CREATE TEMP TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "SELECT nextval('young_id_seq')",
    "SELECT write()",
  ])
    assert.equal(await outcome(reader, sql), denied, sql);
  const [rows] = await run(reader, "SHOW default_transaction_read_only");
  assert.deepEqual(rows, [{ default_transaction_read_only: "on" }]);
});

test("Granting twice does nothing the second time", async () => {
  const { name, admin } = await database("CREATE TABLE t (id serial, x text)", "CREATE SCHEMA s");
  await role("twice", name);
  const first = await grant(admin, declaration("twice", { access: "readwrite", exclude: ["t.x"] }));
  assert.ok(first.length > 0);
  assert.deepEqual(await grant(admin, declaration("twice", { access: "readwrite", exclude: ["t.x"] })), []);
  assert.deepEqual(await restrict(admin), []);
});

test("Excluded tables, their partitions and excluded columns stay hidden, also when a table grant came before", async () => {
  const { name, admin, as } = await database(
    "CREATE TABLE users (id int, email text, name text)",
    "CREATE SCHEMA audit",
    "CREATE TABLE audit.log (id int)",
    "CREATE TABLE secret (id int) PARTITION BY RANGE (id)",
    "CREATE TABLE open_name PARTITION OF secret FOR VALUES FROM (0) TO (9)",
  );
  await role("partial", name);
  await grant(admin, declaration("partial"));
  const hidden = declaration("partial", { exclude: ["users.email", "audit.*", "secret"] });
  await grant(admin, hidden);
  await run(as("owner"), "CREATE TABLE audit.next (id int)", "CREATE TABLE fresh (id int)");
  await grant(admin, hidden);
  const partial = as("partial");
  for (const sql of ["SELECT id, name FROM users", "SELECT count(*) FROM users", "TABLE fresh"])
    assert.equal(await outcome(partial, sql), "ok", sql);
  for (const sql of [
    "SELECT * FROM users",
    "SELECT email FROM users",
    "TABLE audit.log",
    "TABLE audit.next",
    "TABLE secret",
    "TABLE open_name",
  ])
    assert.equal(await outcome(partial, sql), denied, sql);
  await grant(admin, declaration("partial"));
  assert.equal(await outcome(partial, "SELECT * FROM users"), "ok");
});

test("Readonly becomes readwrite and readonly again", async () => {
  const { name, admin, as } = await database(
    "CREATE TABLE t (id serial)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
  );
  await role("changer", name);
  await restrict(admin);
  const both = as("changer");
  await grant(admin, declaration("changer", { access: "readwrite" }));
  await run(as("owner"), "CREATE TABLE n (id int)");
  for (const sql of ["INSERT INTO t DEFAULT VALUES", "UPDATE n SET id = 1", "DELETE FROM n", "SELECT f()"])
    assert.equal(await outcome(both, sql), "ok", sql);
  assert.equal(await outcome(both, "CREATE TABLE x (id int)"), denied);
  await grant(admin, declaration("changer"));
  await run(as("owner"), "CREATE TABLE m (id int)");
  for (const sql of ["INSERT INTO t DEFAULT VALUES", "DELETE FROM n", "DELETE FROM m"])
    assert.equal(await outcome(both, sql), denied, sql);
});

test("What a second creator and a superuser made, and will make, is covered", async () => {
  const { name, superuser, as } = await database();
  await run(cluster.superuser, "CREATE ROLE migrator LOGIN PASSWORD 'pw' IN ROLE owner");
  await run(superuser, "CREATE TABLE of_admin (id int)");
  await role("wide", name);
  await grant(superuser, declaration("wide"));
  await run(as("migrator"), "CREATE TABLE of_migrator (id int)");
  await run(superuser, "CREATE TABLE of_admin_later (id int)");
  for (const table of ["of_admin", "of_migrator", "of_admin_later"])
    assert.equal(await outcome(as("wide"), `TABLE ${table}`), "ok", table);
});

test("A view that calls a function can be read", async () => {
  const { name, admin, as } = await database();
  await role("viewer", name);
  await restrict(admin);
  await run(
    as("owner"),
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE VIEW v AS SELECT f()",
  );
  await grant(admin, declaration("viewer"));
  assert.equal(await outcome(as("viewer"), "TABLE v"), "ok");
});

test("A retired role leaves its objects to the owner and can be dropped", async () => {
  const { name, admin, superuser, as } = await database("CREATE TABLE t (id int)");
  await role("leaver", name);
  await grant(admin, declaration("leaver", { access: "readwrite" }));
  await run(
    superuser,
    "GRANT CREATE ON SCHEMA public TO leaver",
    "SET ROLE leaver",
    "CREATE TABLE mine AS SELECT 1 AS x",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO owner",
  );
  assert.equal(await withClient(admin, (client) => prepareRoleDrop(client, "leaver", "owner")), true);
  await run(cluster.superuser, "DROP ROLE leaver");
  assert.deepEqual(await run(as("owner"), "TABLE mine"), [[{ x: 1 }]]);
  assert.equal(await withClient(admin, (client) => prepareRoleDrop(client, "leaver", "owner")), false);
});

test("A role that another database holds is not retired, and the refusal names what holds it", async () => {
  const here = await database("CREATE TABLE t (id int)");
  const there = await database("CREATE TABLE t (id int)");
  await role("shared", here.name);
  await grant(here.admin, declaration("shared"));
  await run(there.superuser, "GRANT SELECT ON t TO shared");
  const retire = withClient(here.admin, (client) => prepareRoleDrop(client, "shared", "owner"));
  await assert.rejects(retire, new RegExp(`has rights on 1 object in database "${there.name}"`));
  assert.equal(await outcome(here.as("shared"), "TABLE t"), "ok");
});

test("Twelve roles granted side by side meet no catalog race", async () => {
  const { name, admin } = await database(
    "CREATE TABLE t (id int)",
    "CREATE SCHEMA s",
    "CREATE TABLE s.t (id int)",
  );
  const names = Array.from({ length: 12 }, (_, index) => `crowd${index}`);
  for (const one of names) await role(one, name);
  await Promise.all(names.map((one) => grant(admin, declaration(one))));
  await Promise.all(names.map((one) => withClient(admin, (client) => prepareRoleDrop(client, one, "owner"))));
});

test("A probe as the role finds what it can do and should not, and what it cannot and should", async () => {
  const { name, admin, superuser, as } = await database(
    "CREATE TABLE users (id serial, email text)",
    "CREATE SCHEMA other",
    "CREATE TABLE other.t (id int)",
    "CREATE VIEW v AS SELECT 1",
  );
  await role("probed", name);
  await restrict(admin);
  const declared = {
    ...declaration("probed", { exclude: ["users.email"] }),
    memberOf: [],
    validUntil: "infinity",
    byAdmin: false,
  };
  await grant(admin, declared);
  const probe = async () => (await withClient(as("probed"), (client) => runProbes(client, declared))).faults;
  assert.deepEqual(await probe(), []);
  await run(
    superuser,
    "GRANT SELECT (email) ON users TO PUBLIC",
    "GRANT INSERT, DELETE ON other.t TO probed",
    "GRANT USAGE ON SEQUENCE users_id_seq TO probed",
    "GRANT CREATE ON SCHEMA other TO probed",
    `GRANT TEMPORARY ON DATABASE ${name} TO PUBLIC`,
    "ALTER ROLE probed RESET default_transaction_read_only",
    "ALTER ROLE probed CREATEDB",
    "CREATE FUNCTION lend() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    "GRANT EXECUTE ON FUNCTION lend() TO PUBLIC",
  );
  assert.deepEqual((await probe()).toSorted(), [
    "can advance public.users_id_seq",
    "can delete from other.t",
    "can insert into other.t",
    "can make a table in other",
    "can make a temporary table",
    "can read public.users.email",
    "can run public.lend() with its owner's rights",
    "has the attribute CREATEDB",
    "starts its transactions in read-write mode",
  ]);
  await grant(admin, declared);
  await run(superuser, "REVOKE ALL ON other.t FROM probed");
  assert.ok((await probe()).some((fault) => fault.startsWith("cannot read other.t: permission denied")));
});

test("A probe of a readwrite role writes nothing and takes no number from a sequence", async () => {
  const { name, admin, superuser, as } = await database("CREATE TABLE t (id serial PRIMARY KEY)");
  await role("writer", name);
  const declared = {
    ...declaration("writer", { access: "readwrite" }),
    memberOf: [],
    validUntil: "infinity",
    byAdmin: false,
  };
  await grant(admin, declared);
  assert.deepEqual((await withClient(as("writer"), (client) => runProbes(client, declared))).faults, []);
  assert.deepEqual(await run(superuser, "SELECT nextval('t_id_seq')::int AS next", "TABLE t"), [
    [{ next: 1 }],
    [],
  ]);
});

/** A database of an admin as a managed service gives it: one who may make roles and databases, and is no superuser. */
async function managedDatabase() {
  const [user, owner, reader, name] = ["managed", "m_owner", "m_reader", "d"].map(
    (one) => `${one}${++databases}`,
  );
  await run(cluster.superuser, `CREATE ROLE ${user} LOGIN CREATEDB CREATEROLE PASSWORD 'pw'`);
  const managed = { ...cluster.admin, user: user as string, password: "pw" };
  await run(
    managed,
    `CREATE ROLE ${owner} LOGIN PASSWORD 'pw'`,
    `CREATE ROLE ${reader} LOGIN PASSWORD 'pw'`,
    `GRANT ${owner} TO ${user}`,
    `CREATE DATABASE ${name} OWNER ${owner}`,
    `REVOKE ${owner} FROM ${user}`,
  );
  const as = (user: string) => ({ ...managed, user, database: name as string });
  await run(as(owner as string), "CREATE TABLE t (id int)");
  return { admin: as(user as string), as, owner: owner as string, reader: reader as string };
}

test("An admin who is no superuser grants, restricts and retires, and is in no other role than before", async () => {
  const { admin, as, owner, reader } = await managedDatabase();
  const memberships = `SELECT roleid::regrole::text, admin_option FROM pg_auth_members WHERE member = '${admin.user}'::regrole ORDER BY 1`;
  const before = await run(admin, memberships);
  await restrict(admin, owner);
  await grant(admin, declaration(reader), owner);
  await run(as(owner), "CREATE TABLE later (id int)");
  for (const table of ["t", "later"]) assert.equal(await outcome(as(reader), `TABLE ${table}`), "ok", table);
  assert.deepEqual(await run(admin, memberships), before);
  await withClient(admin, (client) => prepareRoleDrop(client, reader, owner));
  await run(admin, `DROP ROLE ${reader}`);
});

test("What an admin who is no superuser cannot grant is refused with the way past it", async () => {
  const { admin, owner, reader } = await managedDatabase();
  await run({ ...cluster.superuser, database: admin.database }, "CREATE TABLE of_superuser (id int)");
  await assert.rejects(
    grant(admin, declaration(reader), owner),
    new RegExp(`"${cluster.superuser.user}".*ALTER .* OWNER.*exclude`, "s"),
  );
  await grant(admin, declaration(reader, { exclude: ["of_superuser"] }), owner);
});
