import assert from "node:assert/strict";
import { test } from "node:test";
import type { Archive, ArchiveEntry } from "../../runner/dump/archive/parser.ts";
import { FailureReader, isDispensable } from "../../runner/restore/load/failures.ts";
import {
  missingTablespaces,
  pgRestoreFor,
  refuseLoss,
  refuseUnfit,
} from "../../runner/restore/preflight/checks.ts";
import { planRestore } from "../../runner/restore/preflight/plan.ts";
import type { TargetFacts } from "../../runner/restore/preflight/target.ts";
import { type Right, rightsDifference } from "../../runner/restore/swap/grants.ts";

function entry(
  id: number,
  type: string,
  name: string,
  definition = "",
  more: Partial<ArchiveEntry> = {},
): ArchiveEntry {
  return { id, oid: id, type, name, definition, schema: null, tablespace: null, rows: 0, ...more };
}

function archiveOf(entries: ArchiveEntry[]): Archive {
  return { serverVersion: "15.18", programVersion: "15.18", encoding: "UTF8", textBytes: 0, entries };
}

const archive = archiveOf([
  entry(1, "SCHEMA", "audit"),
  entry(2, "EXTENSION", "hstore"),
  entry(3, "COMMENT", "EXTENSION hstore"),
  entry(4, "FUNCTION", "native()", "CREATE FUNCTION native()\n    LANGUAGE c\n"),
  entry(5, "FUNCTION", "plain()", "CREATE FUNCTION plain()\n    LANGUAGE sql\n"),
  entry(6, "PUBLICATION", "everything", "CREATE PUBLICATION everything FOR ALL TABLES WITH (…);"),
  entry(7, "PUBLICATION", "some", "CREATE PUBLICATION some WITH (…);"),
  entry(8, "SUBSCRIPTION", "feed"),
  entry(9, "EVENT TRIGGER", "watch"),
  entry(10, "COMMENT", "EVENT TRIGGER watch"),
  entry(11, "MATERIALIZED VIEW DATA", "totals"),
  entry(12, "TABLE DATA", "users"),
  entry(13, "ACL", "TABLE users"),
]);
const server = { ownerIsSuperuser: false, adminIsSuperuser: true, roles: ["app", 'odd"name'] };
const ids = (entries: readonly ArchiveEntry[]) => entries.map(({ id }) => id);

test("a dump is divided into what the admin makes, what the owner makes, and what is left out", () => {
  const plan = planRestore(archive, server);
  assert.deepEqual(plan.schemas, ["audit"]);
  assert.deepEqual(ids(plan.byAdmin), [2, 3]);
  assert.deepEqual(ids(plan.byOwner), [5, 7, 12]);
  assert.deepEqual(ids(plan.materializedViews), [11]);
  assert.deepEqual(ids(plan.leftOut), [4, 6, 8, 9]);
});

test("user mappings of roles that the server lacks are left out, and schemas of tables are made", () => {
  const mapping = (id: number, role: string) =>
    entry(id, "USER MAPPING", "m", `CREATE USER MAPPING FOR ${role} SERVER fs OPTIONS (\n    "user" 'x'\n);`);
  const plan = planRestore(
    archiveOf([
      ...["app", '"odd""name"', "PUBLIC", "absent", '"absent too"', '"PUBLIC"'].map((role, at) =>
        mapping(at, role),
      ),
      entry(9, "TABLE", "t", "", { schema: "elsewhere" }),
    ]),
    server,
  );
  assert.deepEqual(ids(plan.byAdmin), [0, 1, 2]);
  assert.deepEqual(ids(plan.leftOut), [3, 4, 5]);
  assert.deepEqual(plan.schemas, ["elsewhere"]);
});

test("an admin who is no superuser makes no language and no foreign-data wrapper", () => {
  const plan = planRestore(
    archiveOf([
      entry(1, "FOREIGN DATA WRAPPER", "w"),
      entry(2, "PROCEDURAL LANGUAGE", "l"),
      entry(3, "SERVER", "s"),
    ]),
    { ...server, adminIsSuperuser: false },
  );
  assert.deepEqual([ids(plan.byAdmin), ids(plan.leftOut)], [[3], [1, 2]]);
});

test("an owner who is a superuser gets all but the subscriptions", () => {
  const plan = planRestore(archive, { ...server, ownerIsSuperuser: true });
  assert.deepEqual(ids(plan.leftOut), [8]);
  assert.deepEqual(ids(plan.byOwner), [4, 5, 6, 7, 9, 10, 12]);
});

test("pg_restore's errors are read with the object that they belong to", () => {
  const fk = entry(7, "FK CONSTRAINT", "child parent_fk");
  const data = entry(8, "TABLE DATA", "child");
  const reader = new FailureReader([fk, data]);
  for (const line of [
    "pg_restore: while PROCESSING TOC:",
    "pg_restore: from TOC entry 7; 2606 1 FK CONSTRAINT child parent_fk app",
    'pg_restore: error: could not execute query: ERROR:  insert or update on table "child" violates it',
    'DETAIL:  Key (parent)=(9) is not present in table "parent".',
    "Command was: ALTER TABLE ONLY public.child",
    "    ADD CONSTRAINT parent_fk FOREIGN KEY (parent) REFERENCES public.parent(id);",
    "pg_restore: from TOC entry 8; 0 1 TABLE DATA child app",
    'pg_restore: error: COPY failed for table "child": ERROR:  null value',
  ])
    reader.line(line);
  assert.deepEqual(reader.failures, [
    {
      entry: fk,
      message:
        'insert or update on table "child" violates it DETAIL:  Key (parent)=(9) is not present in table "parent".',
    },
    { entry: data, message: 'COPY failed for table "child": ERROR:  null value' },
  ]);
  assert.deepEqual(reader.failures.map(isDispensable), [true, false]);
  assert.equal(isDispensable({ entry: fk, message: "server closed the connection unexpectedly" }), false);
  assert.equal(isDispensable({ entry: undefined, message: "anything" }), false);
});

function right(
  object: string,
  grantee: string | null,
  privilege: string | null,
  more: Partial<Right> = {},
): Right {
  return { kind: "TABLE", object, column: null, grantee, privilege, grantable: false, ...more };
}

test("rights are made the same on what both sides have, and left alone elsewhere", () => {
  const wanted = [
    right("public.a", "reader", "SELECT", { column: "id" }),
    right("public.gone", "reader", "SELECT"),
    right("", "reader", "CONNECT", { kind: "DATABASE", grantable: true }),
    right("public.b", null, null),
  ];
  const present = [
    right("public.a", "reader", "SELECT"),
    right("public.new", "reader", "SELECT"),
    right("public.b", "PUBLIC", "SELECT"),
    right("public.b", "app", "SELECT"),
    right("", null, null, { kind: "DATABASE" }),
  ];
  assert.deepEqual(rightsDifference(wanted, present, "app", "fresh"), [
    "REVOKE SELECT ON TABLE public.a FROM reader",
    "REVOKE SELECT ON TABLE public.b FROM PUBLIC",
    "GRANT SELECT (id) ON TABLE public.a TO reader",
    'GRANT CONNECT ON DATABASE "fresh" TO reader WITH GRANT OPTION',
  ]);
});

const installed = [18, 16, 15].map((major) => ({ directory: `/${major}`, major, version: `${major}.1` }));

test("the target's own pg_restore is taken where it reads the dump, else the oldest that does", () => {
  const chosen = (program: string, major: number) =>
    pgRestoreFor(installed, { server: program, program }, { version: `${major}.1`, major }).major;
  assert.deepEqual(
    [chosen("15.2", 15), chosen("15.2", 16), chosen("14.1", 17), chosen("16.1", 17)],
    [15, 16, 15, 16],
  );
});

test("a dump from a newer server or pg_dump than the target is refused with both versions", () => {
  const target = { version: "15.18", major: 15 };
  assert.throws(
    () => pgRestoreFor(installed, { server: "16.1", program: "16.1" }, target),
    /16\.1[\s\S]*15\.18/,
  );
  assert.throws(
    () => pgRestoreFor(installed, { server: "15.1", program: "17.4" }, target),
    /17\.4[\s\S]*15\.18/,
  );
  assert.throws(
    () => pgRestoreFor([], { server: "15.1", program: "15.1" }, target),
    /written by pg_dump 15\.1[\s\S]*none/,
  );
});

const facts: TargetFacts = {
  ...{ version: "15.18", major: 15, encoding: "LATIN1", databaseOwner: "app" },
  admin: { superuser: false, createsDatabases: false, becomesOwner: false, becomesDatabaseOwner: true },
  roles: [],
  owner: { superuser: false },
  tablespaces: ["pg_default"],
  availableExtensions: ["plpgsql"],
  dataDirectory: undefined,
  databaseDirectory: undefined,
  anchors: ["replication slot feed"],
  unendable: ["process 1 of root from the server itself"],
};

test("every reason against a restore is named at once", () => {
  assert.throws(
    () => refuseUnfit(facts, archive, "operator", "app"),
    /CREATEDB[\s\S]*not a member[\s\S]*replication slot feed[\s\S]*may not end[\s\S]*"hstore" is not installed[\s\S]*UTF8[\s\S]*LATIN1/,
  );
  assert.throws(
    () => refuseUnfit({ ...facts, owner: undefined }, archive, "operator", "app"),
    /"app" is no role/,
  );
});

test("tablespaces that the server lacks are found", () => {
  const dump = archiveOf([
    entry(1, "TABLE", "a", "", { tablespace: "fast" }),
    entry(2, "TABLE", "b", "", { tablespace: "" }),
  ]);
  assert.deepEqual(missingTablespaces(facts, dump), ["fast"]);
});

test("a long list of lost objects is cut, and the flag is named", () => {
  const lost = Array.from({ length: 60 }, (_, index) => `TABLE t${index}`);
  assert.throws(() => refuseLoss(lost, "db", "--overwrite"), /TABLE t49\n {2}and 10 more[\s\S]*--overwrite/);
  refuseLoss([], "db", "--overwrite");
});
