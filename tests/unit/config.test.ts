import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, parseConfig } from "../../runner/config/parse.ts";
import { loginsOf } from "../../runner/config/rotation.ts";

const least = {
  instance: JSON.stringify({ kind: "local" }),
  database: JSON.stringify({ name: "app", owner: "app_owner" }),
};
const server = { ...least, instance: JSON.stringify({ kind: "existing", host: "db.internal" }) };
const existing = { ...server, adminPassword: "s3" };

function faultsOf(raw: Record<string, string>): string {
  try {
    parseConfig(raw);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  assert.fail("expected a ConfigError");
}

test("the least configuration is filled in with the documented defaults", () => {
  const config = parseConfig(least);
  assert.deepEqual(config.instance, { kind: "local" });
  assert.deepEqual(config.database.schemas, ["public"]);
  assert.equal(config.migrations.lockTimeout, 5000);
  assert.equal(config.migrations.to, "latest");
  assert.equal(config.protect, false);
  assert.equal(parseConfig(existing).protect, true);
});

test("every fault is reported in one error, with key, finding and what is allowed", () => {
  const message = faultsOf({
    instance: JSON.stringify({ kind: "remote" }),
    database: JSON.stringify({ name: "x".repeat(64), ownr: "a" }),
    roles: JSON.stringify([{ name: "pg_reader", access: "write", statementTimeout: "3 parsecs" }]),
    colour: "red",
  });
  for (const part of [
    /pgstack:instance.kind: expected local or existing, found "remote"/,
    /pgstack:database.name: expected a name of 1 to 63 bytes/,
    /pgstack:database.ownr: unknown key/,
    /pgstack:roles.0.name: expected a name that PostgreSQL does not reserve, found "pg_reader"/,
    /pgstack:roles.0.access: expected readonly or readwrite, found "write"/,
    /pgstack:roles.0.statementTimeout: expected a duration such as 500ms/,
    /pgstack:colour: unknown key; known: instance/,
  ])
    assert.match(message, part);
});

test("a secret that is refused is not repeated", () => {
  const message = faultsOf({ ...existing, passwords: JSON.stringify({ app_owner: "hunter\t2" }) });
  assert.match(message, /passwords.app_owner: expected a password of printable characters/);
  assert.doesNotMatch(message, /hunter/);
  assert.doesNotMatch(faultsOf({ ...least, adminPassword: "top\tsecret" }), /top/);
});

test("names may be any legal identifier, and passwords any printable text", () => {
  const config = parseConfig({
    ...existing,
    database: JSON.stringify({ name: "a=b ü", owner: "My-Own er" }),
    passwords: JSON.stringify({ "My-Own er": "@:/%'\" #?&=é\\" }),
  });
  assert.equal(config.database.name, "a=b ü");
  assert.equal(config.passwords["My-Own er"], "@:/%'\" #?&=é\\");
});

test("names that the provider cannot bear are refused, with the reason", () => {
  const database = (name: string) => faultsOf({ ...least, database: JSON.stringify({ name, owner: "o" }) });
  for (const name of ["a%41b", "what?", "c#", "a\tb"])
    assert.match(
      database(name),
      /database\.name: expected a name without %, \?, # and control characters \(the/,
      name,
    );
  assert.match(
    database("it's"),
    /database\.name: expected a name without ' \(the postgresql provider could not drop/,
  );
  const roles = JSON.stringify([{ name: "c=d", access: "readonly" }]);
  const message = faultsOf({ ...least, database: JSON.stringify({ name: "d", owner: "a=b" }), roles });
  assert.match(
    message,
    /database\.owner: expected a name without = \(the postgresql provider cannot read it back\), found "a=b"/,
  );
  assert.match(message, /roles\.0\.name: expected a name without = .*found "c=d"/);
  const instance = JSON.stringify({ kind: "existing", host: "h", adminDatabase: "a%41b", adminUser: "a:b" });
  const faults = faultsOf({ ...existing, instance });
  assert.match(faults, /instance\.adminDatabase: expected a name without %/);
  assert.match(faults, /instance\.adminUser: expected a name without :/);
});

test("a host is a name or an address, and never a socket's path, a port or a list", () => {
  const host = (host: string) => ({ ...existing, instance: JSON.stringify({ kind: "existing", host }) });
  for (const [given, read] of [
    ["db.internal", "db.internal"],
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["[2001:db8::7]", "2001:db8::7"],
  ] as const)
    assert.deepEqual(parseConfig(host(given)).instance, { ...parseConfig(existing).instance, host: read });
  for (const given of [
    "/tmp",
    "/var/run/postgresql",
    "db:5432",
    "a,b",
    "user@db",
    "",
    "db internal",
    "db?x",
    "[::1",
  ])
    assert.match(
      faultsOf(host(given)),
      /instance\.host: expected a host name or an IP address; a socket's path/,
      given,
    );
});

test("an import takes no dot in the names by which the provider finds what it imports", () => {
  const adopt = JSON.stringify({ importOnly: true });
  const database = (more: object) => JSON.stringify({ name: "app", owner: "o", ...more });
  for (const more of [{ name: "a.b" }, { schemas: ["a.b"] }, { extensions: ["a.b"] }]) {
    assert.match(
      faultsOf({ ...least, database: database(more), adopt }),
      /without a dot in their names, found "a\.b"/,
    );
    parseConfig({ ...least, database: database(more) });
  }
});

test("durations are read in PostgreSQL's units into milliseconds", () => {
  const cases = [
    ["500ms", 500],
    ["30s", 30_000],
    ["5min", 300_000],
    [0, 0],
    [250, 250],
  ] as const;
  for (const [lockTimeout, milliseconds] of cases)
    assert.equal(
      parseConfig({ ...least, migrations: JSON.stringify({ lockTimeout }) }).migrations.lockTimeout,
      milliseconds,
    );
});

test("the end of a password is read into UTC, in whatever form it is written and wherever the program runs", () => {
  const read = (validUntil: string) => {
    const roles = JSON.stringify([{ name: "r", access: "readonly", validUntil }]);
    return parseConfig({ ...least, roles }).roles[0]?.validUntil;
  };
  for (const [given, instant] of [
    ["infinity", "infinity"],
    ["2040-01-31", "2040-01-31T00:00:00Z"],
    ["2040-01-31T12:30", "2040-01-31T12:30:00Z"],
    ["2040-01-31 12:30:15", "2040-01-31T12:30:15Z"],
    ["2040-01-31T12:30:00+09:00", "2040-01-31T03:30:00Z"],
    ["2040-01-31 00:00:00 +0000 UTC", "2040-01-31T00:00:00Z"],
    ["2040-01-31 09:00:00 +0900 +0900", "2040-01-31T00:00:00Z"],
  ] as const)
    assert.equal(read(given), instant, given);
  const roles = JSON.stringify([{ name: "r", access: "readonly", validUntil: "tomorrow" }]);
  assert.match(faultsOf({ ...least, roles }), /validUntil: expected a date such as .*found "tomorrow"/);
});

test("keys that contradict each other are refused", () => {
  assert.match(faultsOf({ ...least, adminPassword: "x" }), /adminPassword: expected nothing for kind local/);
  assert.match(faultsOf(server), /pulumi config set --secret pgstack:adminPassword/);
  assert.match(
    faultsOf({ ...least, roles: JSON.stringify([{ name: "a", access: "readonly", schemas: ["audit"] }]) }),
    /"a" names schema "audit", which is not in database.schemas/,
  );
  assert.match(
    faultsOf({ ...least, passwords: '{"nobody_here":"x"}' }),
    /passwords: expected roles of this stack/,
  );
});

const moving = (cutover: object) => ({ ...existing, cutover: JSON.stringify(cutover) });

test("a cutover is filled in with the documented defaults", () => {
  const { cutover } = parseConfig(moving({ from: "organization/pgstack/prod" }));
  assert.deepEqual(cutover, {
    from: "organization/pgstack/prod",
    ...{
      state: "rehearse",
      method: "copy",
      freeze: "readonly",
      jobs: "auto",
      replicaIdentityFull: [],
      maxFreeze: 60_000,
    },
  });
});

test("every fault of a cutover is reported", () => {
  const message = faultsOf(
    moving({
      from: "prod",
      ...{ state: "swich", method: "dump", freeze: "offline", jobs: 0, label: "", when: "now" },
      replicaIdentityFull: "public.t",
      pgbouncer: { adminUrl: "pgbouncer on hunter2", configFile: "" },
    }),
  );
  for (const part of [
    /cutover\.from: expected organization\/project\/stack, such as organization\/pgstack\/prod, found "prod"/,
    /cutover\.state: expected rehearse or switch, found "swich"/,
    /cutover\.method: expected copy or replicate, found "dump"/,
    /cutover\.freeze: expected readonly, found "offline"/,
    /cutover\.jobs: expected auto \(one for each core, up to 8\) or a number from 1 to 64, found 0/,
    /cutover\.label: expected a text/,
    /cutover\.replicaIdentityFull: expected a list of tables, found "public\.t"/,
    /cutover\.pgbouncer\.adminUrl: expected postgres:\/\/user:password@host:port\/pgbouncer/,
    /cutover\.pgbouncer\.configFile: expected the path of a file/,
    /cutover\.when: unknown key/,
  ])
    assert.match(message, part);
  assert.doesNotMatch(message, /hunter2/);
  assert.match(faultsOf(moving({})), /cutover\.from: expected .*, found nothing/);
  assert.match(faultsOf(moving({ from: "a/b/c", pgbouncer: {} })), /pgbouncer\.adminUrl: .*found nothing/);
});

test("a database has one origin", () => {
  const cutover = { from: "organization/pgstack/prod" };
  const restore = JSON.stringify({ from: "dumps/prod.dump" });
  assert.match(
    faultsOf({ ...moving(cutover), restore }),
    /cutover: expected one origin .*, found restore too/,
  );
  const adopt = JSON.stringify({ importOnly: true });
  assert.match(
    faultsOf({ ...moving(cutover), adopt }),
    /adopt\.importOnly: expected no restore and no cutover/,
  );
});

test("an exclusion that cannot be read and a circle of memberships are faults of the configuration", () => {
  const roles = (...list: object[]) => JSON.stringify(list.map((one) => ({ access: "readonly", ...one })));
  for (const pattern of ["", "a..b", "a.b.c.d", 'half "quoted'])
    assert.match(
      faultsOf({ ...least, roles: roles({ name: "r", exclude: [pattern] }) }),
      /pgstack:roles\.0\.exclude\.0: expected table, schema\.table/,
    );
  const circle = roles(
    { name: "a", memberOf: ["b"] },
    { name: "b", memberOf: ["c"] },
    { name: "c", memberOf: ["b"] },
  );
  assert.match(faultsOf({ ...least, roles: circle }), /memberOf without a circle, found b → c → b/);
  assert.match(faultsOf({ ...least, roles: roles({ name: "a", memberOf: ["a"] }) }), /found a → a/);
});

test("a tunnel's destination is one that ssh takes for no option, and a token's command is not shown", () => {
  const via = (ssh: unknown) => ({
    ...existing,
    instance: JSON.stringify({ kind: "existing", host: "db.internal", via: { ssh } }),
  });
  for (const ssh of ["deploy@bastion", "ssh://deploy@bastion:2222", "bastion-of-prod"])
    assert.deepEqual(parseConfig(via(ssh)).instance, { ...parseConfig(existing).instance, via: { ssh } });
  for (const ssh of ["-oProxyCommand=x", "two words", "", 5])
    assert.match(faultsOf(via(ssh)), /pgstack:instance.via.ssh: expected a destination of ssh/);
  assert.match(faultsOf({ ...server, adminAuth: JSON.stringify({ comand: "print s3cr3t" }) }), /adminAuth/);
  assert.doesNotMatch(faultsOf({ ...server, adminAuth: JSON.stringify({ command: ["s3cr3t"] }) }), /s3cr3t/);
});

test("an administrator has a password or a command that prints one", () => {
  const adminAuth = JSON.stringify({ command: "print-token" });
  assert.deepEqual(parseConfig({ ...server, adminAuth }).adminAuth, { command: "print-token" });
  assert.match(faultsOf({ ...existing, adminAuth }), /one of adminPassword and adminAuth, found both/);
  assert.match(faultsOf({ ...least, adminAuth }), /adminAuth: expected nothing for kind local/);
  assert.match(faultsOf(server), /adminPassword: expected the password of instance.adminUser, found nothing/);
});

test("the two logins of a role take turns: the role itself, then the other, each keeping its password for one turn", () => {
  const at = (passwordVersion: number) =>
    parseConfig({
      ...least,
      roles: JSON.stringify([{ name: "app", access: "readwrite", rotate: "pair", passwordVersion }]),
    })
      .roles.flatMap(loginsOf)
      .map(({ name, login, passwordVersion: version, passwordKept = false, memberOf }) => ({
        ...{ name, login, version, passwordKept, memberOf },
      }));
  const second = { name: "app_b", login: undefined, memberOf: ["app"] };
  const first = { name: "app", memberOf: [] };
  assert.deepEqual(at(1), [
    { ...first, login: "app", version: 1, passwordKept: false },
    { ...second, version: 0, passwordKept: true },
  ]);
  assert.deepEqual(at(2), [
    { ...first, login: "app_b", version: 1, passwordKept: true },
    { ...second, version: 2, passwordKept: false },
  ]);
  assert.deepEqual(at(3), [
    { ...first, login: "app", version: 3, passwordKept: false },
    { ...second, version: 2, passwordKept: true },
  ]);
});

test("a role whose logins take turns has a name for the second, and generated passwords", () => {
  const role = { name: "app", access: "readonly", rotate: "pair" };
  const faults = faultsOf({
    ...least,
    roles: JSON.stringify([
      role,
      { ...role, name: "app_b", rotate: undefined },
      { ...role, name: "x".repeat(62) },
    ]),
    passwords: JSON.stringify({ app: "given" }),
  });
  assert.match(faults, /expected "app_b" for the second login of "app", found a role of that name/);
  assert.match(faults, /expected a name of 61 bytes at most/);
  assert.match(faults, /passwords: expected none for "app", whose logins take turns/);
  assert.doesNotMatch(faults, /given/);
});
