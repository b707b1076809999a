import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import type { CutoverSettings } from "../../runner/cutover/settings.ts";
import { reachComplete, reachCopy, reachVerify } from "../../runner/cutover/stages/after-freeze.ts";
import { reachFreeze, reachPause } from "../../runner/cutover/stages/before-freeze.ts";
import { rehearse } from "../../runner/cutover/stages/rehearse.ts";
import { reachResume } from "../../runner/cutover/stages/resume.ts";
import { endCutover } from "../../runner/cutover/stages/rollback.ts";
import { readState } from "../../runner/cutover/state/state.ts";
import { type ConnectionSettings, connectionFromUrl, withClient } from "../../runner/postgres/connection.ts";
import { missingWrites, startWriter, type Writer } from "../support/acknowledged-writer.ts";
import {
  acknowledgedTable,
  type CutoverClusters,
  startCutoverClusters,
} from "../support/cutover-clusters.ts";
import { killedCommand } from "../support/cutover-commands.ts";
import { sql } from "../support/databases.ts";
import { type PgBouncer, type PgBouncerOptions, startPgBouncer } from "../support/pgbouncer.ts";
import { until } from "../support/wait.ts";

let clusters: CutoverClusters;
before(async () => {
  clusters = await startCutoverClusters();
});
after(() => clusters[Symbol.asyncDispose]());

/** A pair of databases with a PgBouncer in front of the source. */
async function pairBehind(
  name: string,
  options: Omit<PgBouncerOptions, "database"> = { poolMode: "transaction" },
): Promise<[CutoverSettings, PgBouncer]> {
  const cutover = await clusters.pair(name);
  await sql(cutover.source, acknowledgedTable);
  const bouncer = await startPgBouncer({ database: cutover.source, ...options });
  const pgbouncer = { admin: connectionFromUrl(bouncer.adminUrl, {}), configFile: bouncer.configFile };
  return [{ ...cutover, declaredRoles: [], pgbouncer }, bouncer]; // so that grants are copied too
}

async function switchOver(cutover: CutoverSettings): Promise<void> {
  for (const reach of [reachPause, reachFreeze, reachCopy, reachVerify, reachComplete, reachResume])
    await reach(cutover);
}

/** Whether the switch has been made, although what made it may have been killed since. */
async function isComplete({ target }: CutoverSettings): Promise<boolean> {
  const state = await withClient(target, (client) => readState(client, "target"));
  return state?.phase === "active";
}

/** Waits until the writer has had more acknowledged; a client that waits for ever fails the test. */
async function goesOn(writer: Writer): Promise<void> {
  const before = writer.acknowledged.size;
  const stands = () => `the writer stands still at ${before}: ${[...writer.failures.keys()]}`;
  await until(() => writer.acknowledged.size > before + 5, stands);
}

/** Every write was acknowledged at the first try, and is there once. */
async function nothingFailedOrLost(
  database: ConnectionSettings,
  writers: Record<string, Writer>,
): Promise<void> {
  await withClient(database, async (client) => {
    for (const [name, writer] of Object.entries(writers)) {
      assert.deepEqual([...writer.failures], [], `${name} saw errors`);
      assert.deepEqual(await missingWrites(client, name, writer), [], `${name} lost writes`);
      const { rows } = await client.query("SELECT count(*)::int AS n FROM acknowledged WHERE writer = $1", [
        name,
      ]);
      assert.equal(rows[0].n, writer.acknowledged.size, `${name}: each write once`);
    }
  });
}

const cases = [
  { method: "copy", poolMode: "transaction" },
  { method: "replicate", poolMode: "transaction" },
  { method: "copy", poolMode: "session" },
] as const;

for (const { method, poolMode } of cases)
  test(`clients of a ${poolMode} pool see a pause, and no error, in a switch by ${method}`, async (t) => {
    const [found, bouncer] = await pairBehind(`${method}_${poolMode}`, { poolMode });
    await using _ = bouncer;
    const cutover = { ...found, method };
    const before = bouncer.config();
    const start = (name: string, explicit: boolean) =>
      startWriter({ settings: bouncer.through("app"), name, explicit, brief: poolMode === "session" });
    const writers = { plain: start("plain", false), explicit: start("explicit", true) };
    const stop = () => Promise.all(Object.values(writers).map((writer) => writer.stop()));
    t.after(stop);
    const { blocking } = await rehearse(cutover);
    assert.deepEqual(blocking, []);
    await switchOver(cutover);
    await goesOn(writers.plain);
    await goesOn(writers.explicit);
    await stop();
    await nothingFailedOrLost(cutover.target, writers);
    const { source, target } = cutover;
    assert.equal(bouncer.config(), before.replace(`port=${source.port} `, `port=${target.port} `));
    assert.equal(statSync(bouncer.configFile).mode & 0o777, 0o640);
    await switchOver(cutover); // repeated, it changes nothing
    await rehearse(cutover);
    assert.equal(bouncer.config(), before, "going back restores every byte");
    await sql(bouncer.through("app"), "INSERT INTO acknowledged (writer, n) VALUES ('back', 1)");
    assert.equal((await sql(source, "SELECT FROM acknowledged WHERE writer = 'back'")).length, 1);
  });

test("a transaction that stays open is named, and everybody continues as before", async (t) => {
  const [cutover, bouncer] = await pairBehind("held");
  await using _ = bouncer;
  const writer = startWriter({ settings: bouncer.through("app"), name: "w" });
  t.after(() => writer.stop());
  await withClient(bouncer.through("own"), async (idle) => {
    await idle.query("BEGIN");
    await assert.rejects(
      reachPause(cutover),
      /within 10 s.*waits for user own from 127\.0\.0\.1:\d+ \(pgstack\), process \d+/,
    );
    await goesOn(writer);
    await idle.query("COMMIT");
  });
  assert.deepEqual([...writer.failures], []);
});

test("a switch that fails or is killed gives the clients back to the source, and one more run ends it", async (t) => {
  const [cutover, bouncer] = await pairBehind("failing");
  await using _ = bouncer;
  const before = bouncer.config();
  const writer = startWriter({ settings: bouncer.through("app"), name: "w" });
  t.after(() => writer.stop());
  await reachPause(cutover);
  await reachCopy(cutover);
  await sql(cutover.target, "DELETE FROM acknowledged WHERE n = 1");
  await assert.rejects(reachVerify(cutover), /public\.acknowledged/);
  await goesOn(writer);
  for (let kill = 0; kill < 4; kill++) {
    await killedCommand(["cutover-complete"], cutover, 150 + Math.random() * 700);
    if (await isComplete(cutover)) break; // the clients write to the target: from there the way leads on, not back
    if (kill % 2 === 1) {
      await rehearse(cutover);
      await goesOn(writer);
      assert.equal(bouncer.config(), before);
    }
  }
  if (!(await isComplete(cutover))) {
    await reachPause(cutover);
    assert.deepEqual(await endCutover(cutover), { thawed: false });
    await goesOn(writer);
  }
  await reachComplete(cutover);
  await killedCommand(["cutover-resume"], cutover, 100 + Math.random() * 300);
  await reachResume(cutover);
  await goesOn(writer);
  await writer.stop();
  await nothingFailedOrLost(cutover.target, { w: writer });
  await endCutover(cutover);
  assert.equal(bouncer.config(), before);
});

test("clients continue before replication is tidied up; where that fails, nothing follows into what they wrote", async () => {
  const [found, bouncer] = await pairBehind("tidying");
  await using _ = bouncer;
  const cutover = { ...found, method: "replicate" as const };
  await rehearse(cutover);
  await reachPause(cutover);
  await reachVerify(cutover);
  const { configFile } = bouncer;
  const text = bouncer.config();
  writeFileSync(configFile, text.replace("tidying", "another"));
  await assert.rejects(reachComplete(cutover), /has no entry "tidying"/);
  writeFileSync(configFile, text);
  assert.equal((await sql(cutover.target, "SELECT FROM pg_subscription")).length, 1);
  await sql(cutover.target, "INSERT INTO acknowledged (writer, n) VALUES ('new side', 1)");
  assert.equal((await rehearse(cutover)).copy, null);
  await sql(bouncer.through("app"), "INSERT INTO acknowledged (writer, n) VALUES ('source', 1)");
  assert.deepEqual(await sql(cutover.target, "SELECT writer FROM acknowledged"), [{ writer: "new side" }]);
  assert.deepEqual(await sql(cutover.target, "SELECT FROM pg_subscription"), []);
  assert.deepEqual(
    await sql(cutover.source, "SELECT FROM pg_replication_slots WHERE database = 'tidying'"),
    [],
  );
});

test("what stands in the way of leading the clients is said at a rehearsal", async () => {
  for (const [admin, password] of [
    [clusters.source.admin, "one"],
    [clusters.target.admin, "other"],
  ] as const)
    await sql(
      admin,
      `CREATE ROLE one LOGIN PASSWORD '${password}'; CREATE ROLE two LOGIN PASSWORD 'two'; CREATE ROLE stale LOGIN`,
    );
  const [two] = await sql(clusters.source.admin, "SELECT rolpassword FROM pg_authid WHERE rolname = 'two'");
  const users = `"one" "one"\n"two" "${two?.rolpassword}"\n"stale" "no longer"\n"app" "app"\n`;
  const settings = "query_wait_timeout = 1";
  const [cutover, bouncer] = await pairBehind("faulty", { poolMode: "session", settings, users });
  await using _ = bouncer;
  const { admin, configFile } = cutover.pgbouncer ?? assert.fail();
  const at = async (pgbouncer: Partial<NonNullable<CutoverSettings["pgbouncer"]>>) =>
    (await rehearse({ ...cutover, pgbouncer: { admin, configFile, ...pgbouncer } })).blocking.join("\n");
  const { blocking, notes } = await rehearse(cutover);
  for (const fault of [
    /user "one" of PgBouncer: it cannot log in to the target \(password authentication failed/,
    /user "two" of PgBouncer: another verifier stands in for it/,
    /query_wait_timeout \(1 s\)/,
  ])
    assert.match(blocking.join("\n"), fault);
  assert.equal(blocking.length, 3, "what works on both sides, or on neither, is no issue");
  assert.match(notes.join("\n"), /pool_mode of "faulty" is session/);
  const watcher = { ...admin, user: "watcher", password: "watcher" };
  assert.match(await at({ admin: watcher }), /user "watcher" may not pause/);
  assert.match(await at({ admin: cutover.source }), /leads to no PgBouncer console/);
  assert.match(await at({ configFile: "/nowhere/pgbouncer.ini" }), /cannot be read: ENOENT/);
  const text = bouncer.config();
  const entry = `faulty = host=127.0.0.1  port=${cutover.source.port}`;
  const edit = (line: string) => writeFileSync(configFile, text.replace(entry, line));
  edit(`* = host=127.0.0.1 port=${cutover.source.port}`);
  assert.match(await at({}), /has no entry in \[databases\] that leads to the database "faulty"/);
  edit(`faulty = host=127.0.0.1 port=${cutover.target.port}`);
  assert.match(await at({}), /No entry in .* leads to the source, .*(another server|cannot be seen)/);
  edit(`faulty = host=localhost port=${cutover.source.port}`);
  assert.match(await at({}), /does not lead "faulty" where cutover\.pgbouncer\.configFile says/);
  await assert.rejects(
    reachPause({ ...cutover, pgbouncer: { admin: watcher, configFile } }),
    /may not pause/,
  );
  await sql(cutover.source, "INSERT INTO acknowledged VALUES (1, 'untouched', 1)");
});

test("clients that reach the source by another line of PgBouncer are named before anything is frozen", async () => {
  const [cutover, bouncer] = await pairBehind("ways");
  await using _ = bouncer;
  const { configFile } = cutover.pgbouncer ?? assert.fail();
  const { port } = cutover.source;
  const text = bouncer.config();
  const reload = (lines: string) => {
    writeFileSync(configFile, text.replace("[databases]\n", `[databases]\n${lines}\n`));
    return withClient(connectionFromUrl(bouncer.adminUrl, {}), (console) => console.query("RELOAD"));
  };
  await reload(`* = host=127.0.0.1 port=${port} dbname=ways`);
  assert.match(
    (await rehearse(cutover)).blocking.join("\n"),
    /fallback "\* = host=127\.0\.0\.1 .*" leads clients of any name/,
  );
  await sql({ ...bouncer.through("app"), database: "anything" }, "SELECT 1");
  assert.match(
    (await rehearse(cutover)).blocking.join("\n"),
    /PgBouncer leads clients of "anything" to the source/,
  );
  await assert.rejects(reachPause(cutover), /leads clients of "anything"/);
  const included = `${configFile}.included`;
  writeFileSync(included, `[databases]\nelsewhere = host=127.0.0.1 port=${port} dbname=ways\n`, {
    mode: 0o644,
  });
  await reload(`%include ${included}`);
  assert.match(
    (await rehearse(cutover)).blocking.join("\n"),
    /PgBouncer leads clients of "elsewhere" to the source/,
  );
  await reload(`* = host=127.0.0.1 port=${port}\nelsewhere = host=localhost port=${port} dbname=ways`);
  assert.deepEqual((await rehearse(cutover)).blocking, [], "the fallback leads to other databases only");
  await sql(cutover.source, "INSERT INTO acknowledged VALUES (1, 'untouched', 1)");
});

test("logins that have to ask the server are said to end before the pause does", async () => {
  const settings = "client_login_timeout = 1\nauth_user = boss\nquery_wait_timeout = 120";
  const [cutover, bouncer] = await pairBehind("asking", { poolMode: "transaction", settings });
  await using _ = bouncer;
  assert.match(
    (await rehearse(cutover)).blocking.join("\n"),
    /auth_query.*client_login_timeout \(1 s\), and a switch would take about [\d.]+ s: raise it/,
  );
});

test("nobody logs in at a server that only PgBouncer's configuration names", async () => {
  const [cutover, bouncer] = await pairBehind("spied");
  await using _ = bouncer;
  const { configFile } = cutover.pgbouncer ?? assert.fail();
  let visits = 0;
  const spy = createServer((socket) => {
    visits++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => spy.listen(cutover.source.port, "127.0.0.2", resolve));
  try {
    const line = `spied = host=127.0.0.2 port=${cutover.source.port} dbname=spied\nother_spy = host=127.0.0.2 port=${cutover.source.port} dbname=spied`;
    writeFileSync(configFile, bouncer.config().replace(/^spied = .*$/m, line));
    await withClient(connectionFromUrl(bouncer.adminUrl, {}), (console) => console.query("RELOAD"));
    const { blocking } = await rehearse(cutover);
    assert.match(blocking.join("\n"), /"spied" leads to another server, 127\.0\.0\.2:/);
    await assert.rejects(reachPause(cutover), /leads to another server/);
    assert.equal(visits, 0);
  } finally {
    spy.close();
  }
});
