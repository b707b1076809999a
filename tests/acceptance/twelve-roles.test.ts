import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { withClient } from "../../runner/postgres/connection.ts";
import { instanceOf } from "../support/managed-service.ts";
import { createProject, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

const schemas = ["public", "app", "stats", "audit"];

let project: TestProject;
let cluster: ThrowawayCluster;

before(async () => {
  [project, cluster] = [createProject(), await startThrowawayCluster()];
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  const tables = schemas.map((schema) => `CREATE TABLE ${schema}.t (id serial);`).join("\n");
  project.write(
    "migrations/20240101000000_tables.sql",
    `-- migrate: up\n${tables}\n-- migrate: down irreversible\n`,
  );
});
after(async () => {
  await project.close();
  await cluster.close();
});

type Access = "readonly" | "readwrite";
const twelve = (first: Access, second: Access, name = "role") =>
  Array.from({ length: 12 }, (_, at) => ({ name: `${name}_${at}`, access: at % 2 === 0 ? first : second }));

async function up(roles: readonly object[]): Promise<void> {
  const { password: adminPassword } = cluster.admin;
  project.configure("twelve", {
    instance: instanceOf(cluster.admin),
    adminPassword,
    database: { name: "twelve", owner: "twelve_owner", schemas },
    protect: false,
    roles,
  });
  const { code, output } = await project.pgstack("up", "twelve", "--yes", "--skip-preview");
  assert.equal(code, 0, output);
}

/** The roles with how many of the four tables each may read and write. */
async function rights(): Promise<unknown> {
  const of = (right: string) =>
    `(SELECT count(*)::int FROM pg_class c WHERE relname = 't' AND has_table_privilege(r.oid, c.oid, '${right}'))`;
  return withClient({ ...cluster.superuser, database: "twelve" }, async (client) => {
    const { rows } = await client.query(
      `SELECT rolname AS name, ${of("SELECT")} AS reads, ${of("INSERT")} AS writes FROM pg_roles r
       WHERE rolname ~ '^(role|new)_' ORDER BY length(rolname), rolname`,
    );
    return rows;
  });
}

const expected = (roles: readonly { name: string; access: Access }[]) =>
  roles.map(({ name, access }) => ({ name, reads: 4, writes: access === "readwrite" ? 4 : 0 }));

test("twelve roles over four schemas come up, change and go in one update each, with no catalog race", async () => {
  const first = twelve("readonly", "readwrite");
  await up(first);
  assert.deepEqual(await rights(), expected(first));
  const second = [
    ...twelve("readwrite", "readonly").slice(0, 6),
    ...twelve("readonly", "readwrite", "new").slice(6),
  ];
  await up(second);
  assert.deepEqual(await rights(), expected([...second.slice(6), ...second.slice(0, 6)]));
  const log = readFileSync(join(cluster.place.directory, "server.log"), "utf8");
  assert.doesNotMatch(log, /tuple concurrently|duplicate key|deadlock detected|cache lookup failed/);
});
