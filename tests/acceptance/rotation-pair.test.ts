// Two logins of a role take turns, so that a client which has not read its new URL is cut off by no single rotation.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectionFromUrl } from "../../runner/postgres/connection.ts";
import { sql } from "../support/databases.ts";
import { instanceOf } from "../support/managed-service.ts";
import { createProject, done, type TestProject } from "../support/project.ts";
import { startThrowawayCluster, type ThrowawayCluster } from "../support/throwaway-cluster.ts";

let project: TestProject;
let cluster: ThrowawayCluster;

before(async () => {
  [project, cluster] = [createProject(), await startThrowawayCluster()];
  project.remove("migrations");
  mkdirSync(join(project.directory, "migrations"));
  const table = `CREATE TABLE users (id int); INSERT INTO users VALUES (1);
    ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY of_app ON users TO app USING (true);`;
  project.write("migrations/01_users.sql", `-- migrate: up\n${table}\n-- migrate: down\nDROP TABLE users;\n`);
});
after(async () => {
  await project.close();
  await cluster.close();
});

interface Outputs {
  readonly urls: Readonly<Record<string, string>>;
  readonly roles: readonly { readonly name: string; readonly login?: string }[];
}

/** Brings the stack up. @returns what clients are given: the login that is current, and its URL */
async function upWith(app: Record<string, unknown>) {
  project.configure("prod", {
    instance: instanceOf(cluster.admin),
    adminPassword: cluster.admin.password,
    database: { name: "shop", owner: "shop_owner" },
    roles: [{ name: "app", access: "readonly", statementTimeout: "30s", ...app }],
    protect: false,
  });
  await done(project.pgstack("up", "prod", "--yes", "--skip-preview"));
  const { urls, roles } = (await project.outputs("prod")) as unknown as Outputs;
  return { url: urls.app as string, login: roles.find(({ name }) => name === "app")?.login };
}

const seen = (url: string) =>
  sql(
    connectionFromUrl(url, {}),
    "SELECT current_user AS login, current_setting('default_transaction_read_only') AS readonly, (SELECT count(*)::int FROM users) AS rows",
  );

test("a client keeps its login through one rotation, and is cut off by the second alone", async () => {
  const before = await upWith({});
  assert.deepEqual(await seen(before.url), [{ login: "app", readonly: "on", rows: 1 }]);

  const first = await upWith({ rotate: "pair", passwordVersion: 2 });
  assert.equal(first.login, "app_b");
  assert.deepEqual(await seen(first.url), [{ login: "app_b", readonly: "on", rows: 1 }]);
  assert.deepEqual(await seen(before.url), [{ login: "app", readonly: "on", rows: 1 }]);
  await done(project.pgstack("preview", "prod", "--expect-no-changes"));

  const second = await upWith({ rotate: "pair", passwordVersion: 3 });
  assert.equal(second.login, "app");
  assert.notEqual(second.url, before.url);
  assert.deepEqual(await seen(second.url), [{ login: "app", readonly: "on", rows: 1 }]);
  assert.deepEqual(await seen(first.url), [{ login: "app_b", readonly: "on", rows: 1 }]);
  await assert.rejects(seen(before.url), /password authentication failed/);

  const { code, output } = await project.pgstack("roles", "--stack", "prod");
  assert.equal(code, 0, output);
});
