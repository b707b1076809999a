// Roles, dump, restore and cutover on each supported version, by an administrator of a managed service: see docs/versions.md.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { RoleDeclaration } from "../../runner/config/role-declaration.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";
import { embeddedReleases } from "../../runner/postgres/embedded/releases.ts";
import { applyRights } from "../../runner/roles/plan/apply.ts";
import { prepareRoleDrop } from "../../runner/roles/plan/drop-role.ts";
import { plain, renderDifferences, renderMatrix } from "../../runner/roles/review/matrix.ts";
import { reviewRoles } from "../../runner/roles/review/review.ts";
import { connectionUrl, sql } from "../support/databases.ts";
import { callCommand } from "../support/migrations.ts";
import { useNewestPostgresql } from "../support/newest-postgresql.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

/** What a version has for the first time, with the others' common content. */
const content = (major: number) => `
  CREATE TYPE mood AS ENUM ('good', 'bad');
  CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood mood, upper text GENERATED ALWAYS AS (upper(name)) STORED);
  INSERT INTO users (name, mood) SELECT 'user ' || i, 'good' FROM generate_series(1, 100) i;
  CREATE VIEW good AS SELECT * FROM users WHERE mood = 'good';
  CREATE FUNCTION good_users() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM users; END;
  ${major >= 15 ? "CREATE TABLE once (x int UNIQUE NULLS NOT DISTINCT);" : ""}
  ${major >= 18 ? since18 : ""}`;
const since18 = `
  CREATE TABLE newest (a int CONSTRAINT a_is_there NOT NULL, v int GENERATED ALWAYS AS (a * 2) VIRTUAL, CONSTRAINT positive CHECK (a > 0) NOT ENFORCED);
  INSERT INTO newest VALUES (-1);
  CREATE TABLE rooms (id int4range, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
  CREATE TABLE stays (id int4range, during daterange, CONSTRAINT room FOREIGN KEY (id, PERIOD during) REFERENCES rooms (id, PERIOD during));
  INSERT INTO rooms VALUES ('[1,2)', '[2026-01-01,2027-01-01)'); INSERT INTO stays VALUES ('[1,2)', '[2026-02-01,2026-03-01)');`;

interface Place {
  readonly cluster: ThrowawayCluster;
  readonly major: number;
  /** The administrator's connection to a database. */
  readonly admin: (database: string) => ConnectionSettings;
  readonly as: (role: string, database: string) => ConnectionSettings;
}

const memberships = `SELECT roleid::regrole::text FROM pg_auth_members
  WHERE member = current_user::regrole AND roleid::regrole::text IN ('own', 'reader', 'team') ORDER BY 1`;

/** By the administrator alone, as a stack does it. */
async function prepare({ cluster, as }: Place): Promise<void> {
  const { admin } = cluster;
  const roles = ["own", "reader", "team"].map((role) => `CREATE ROLE ${role} LOGIN PASSWORD '${role}'`);
  await sql(
    admin,
    ...roles,
    `GRANT own TO ${admin.user}`,
    "CREATE DATABASE here OWNER own",
    "CREATE DATABASE copy OWNER own",
  );
  await sql(as("own", "here"), content(cluster.place.programs.major));
}

/** Rights are granted, mended and taken on this version, MAINTAIN (since 17) and options of membership (since 16) too. */
async function checkRoles({ admin, as, major }: Place): Promise<void> {
  const declared: RoleDeclaration = {
    ...{ role: "reader", access: "readonly", schemas: ["public"], allSchemas: true, exclude: ["users.name"] },
  };
  const rights = { owner: "own", creators: [], roles: [declared] };
  const apply = () => withClient(admin("here"), (client) => applyRights(client, rights));
  const before = await sql(admin("here"), memberships);
  await apply();
  assert.deepEqual(await apply(), []);
  assert.deepEqual(await sql(as("reader", "here"), "SELECT id FROM users LIMIT 1"), [{ id: 1 }]);
  await assert.rejects(sql(as("reader", "here"), "SELECT name FROM users"), /permission denied/);
  const wide = major >= 17 ? "INSERT, MAINTAIN" : "INSERT";
  await sql(as("own", "here"), `GRANT ${wide} ON good, users TO reader`);
  const reviewed = await withClient(admin("here"), (client) =>
    reviewRoles(client, { ...rights, roles: [{ ...declared, memberOf: [] }] }),
  );
  const [header = ""] = renderMatrix(reviewed, () => "", plain);
  assert.equal(/\bMAINTAIN\b/.test(header), major >= 17);
  const surplus = renderDifferences(reviewed, plain).join("\n");
  for (const right of wide.split(", "))
    assert.match(surplus, new RegExp(`surplus ${right} on table public.good`));
  const mended = (await apply()).join("\n");
  for (const right of wide.split(", ")) assert.match(mended, new RegExp(`REVOKE .*\\b${right}\\b`));
  if (major >= 17)
    await assert.rejects(
      sql(as("reader", "here"), "ANALYZE VERBOSE users; BEGIN; LOCK TABLE users IN SHARE MODE"),
      /permission denied/,
    );
  assert.deepEqual(await sql(admin("here"), memberships), before);
}

async function runCommand(name: string, ...words: string[]): Promise<void> {
  const { code, stderr } = await callCommand(name, words);
  assert.equal(code, 0, stderr);
}

const facts =
  "SELECT (SELECT count(*)::int FROM users) AS users, (SELECT count(*)::int FROM good) AS good, good_users()::int AS counted";
const newestFacts = `SELECT v, (SELECT count(*)::int FROM stays) AS stays,
  (SELECT array_agg(conname::text ORDER BY conname) FROM pg_constraint WHERE conrelid = 'newest'::regclass AND NOT (contype = 'c' AND conenforced)) AS constraints FROM newest`;

/** What arrived is what was there, and belongs to the owner. */
async function checkContent({ as, major }: Place, database: string): Promise<void> {
  assert.deepEqual(await sql(as("own", database), facts), [{ users: 100, good: 100, counted: 100 }]);
  if (major < 18) return;
  const found = { v: -2, stays: 1, constraints: ["a_is_there", "positive"] };
  assert.deepEqual(await sql(as("own", database), newestFacts), [found]);
}

/** The owner dumps; the administrator of a server that is as new as the program that wrote the dump restores. */
async function checkDump(place: Place, newest: Place, folder: string): Promise<void> {
  const path = join(folder, `${place.major}.dump`);
  await runCommand("dump", "--url", connectionUrl(place.as("own", "here")), "--out", path);
  const database = `of_${place.major}`;
  await sql(newest.cluster.admin, `CREATE DATABASE ${database} OWNER own`);
  await runCommand("restore", path, "--url", connectionUrl(newest.admin(database)), "--owner", "own");
  await checkContent({ ...newest, major: place.major }, database);
}

/** A rehearsal within one server: the copy is compared with its source by every definition. */
async function checkCutover(place: Place): Promise<void> {
  const { admin, cluster } = place;
  await sql(cluster.admin, "CREATE DATABASE moved OWNER own");
  const { blocking, verify } = await rehearse({
    ...{ stack: "next", method: "copy", source: admin("here"), target: admin("moved") },
    ...{ owners: { source: "own", target: "own" }, declaredRoles: ["reader"], schemas: ["public"], jobs: 1 },
    ...{ record: `${cluster.place.directory}/record.json`, replicaIdentityFull: [], maxFreeze: 60_000 },
  });
  assert.deepEqual([blocking, verify?.differences], [[], []]);
  await checkContent(place, "moved");
}

async function checkDrop({ admin }: Place): Promise<void> {
  await withClient(admin("here"), (client) => prepareRoleDrop(client, "reader", "own"));
  await sql(admin("here"), "DROP ROLE reader");
}

async function startServer(major: number): Promise<Place> {
  const cluster = await startThrowawayCluster({ major, admin: "managed" });
  const admin = (database: string) => ({ ...cluster.admin, database });
  return { cluster, major, admin, as: (user, database) => ({ ...admin(database), user, password: user }) };
}

const missing = await useNewestPostgresql(); // pg_dump of the newest version reads every other
const [latest = 18, ...others] = embeddedReleases.map(({ major }) => major);
const folder = mkdtempSync(join(tmpdir(), "pgstack-versions-"));
let newest: Place;

before(async () => {
  if (missing !== undefined) return;
  newest = await startServer(latest);
  await prepare(newest);
});
after(async () => {
  await newest?.cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

async function check(place: Place): Promise<void> {
  await checkRoles(place);
  await checkDump(place, newest, folder);
  await checkCutover(place);
  await checkDrop(place);
}

const options = { skip: missing };
const what = "an ordinary administrator grants, dumps, restores, moves and drops";

for (const major of others)
  test(`on PostgreSQL ${major} ${what}`, options, async () => {
    const place = await startServer(major);
    await using _cluster = place.cluster;
    await prepare(place);
    await check(place);
  });

test(`on PostgreSQL ${latest} ${what}`, options, () => check(newest));
