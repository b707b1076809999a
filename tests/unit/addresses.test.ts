import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connectionFromUrl } from "../../runner/postgres/connection.ts";
import { RefusedError } from "../../runner/util/errors.ts";

/** What an address says beside libpq's defaults, in a short form: user:password@host:port/database?sslmode. */
function read(address: string, env: NodeJS.ProcessEnv = {}): string {
  const { user, password = "", host, port, database, sslMode } = connectionFromUrl(address, env);
  return `${user}:${password}@${host}:${port}/${database}?${sslMode}`;
}

const same: readonly (readonly [string, string])[] = [
  ["postgres://app:secret@db.example:5433/shop?sslmode=require", "app:secret@db.example:5433/shop?require"],
  ["postgresql+psycopg://postgres@localhost:5432/postgres", "postgres:@localhost:5432/postgres?prefer"],
  ["postgresql+asyncpg://app:a%40b@h/shop", "app:a@b@h:5432/shop?prefer"],
  ["POSTGRES://app@h/shop", "app:@h:5432/shop?prefer"],
  ["postgres:///db?host=/var/run/postgresql", "postgres:@/var/run/postgresql:5432/db?prefer"],
  ["postgres://%2Fvar%2Frun%2Fpostgresql/db", "postgres:@/var/run/postgresql:5432/db?prefer"],
  ["postgres://", "postgres:@localhost:5432/postgres?prefer"],
  ["postgres://app@/shop", "app:@localhost:5432/shop?prefer"],
  ["postgres://[::1]:5433/shop", "postgres:@::1:5433/shop?prefer"],
  ["postgres://app:p:w#d@h/shop", "app:p:w#d@h:5432/shop?prefer"],
  ["postgres://h/?dbname=shop&user=app&password=x%26y&port=1", "app:x&y@h:1/shop?prefer"],
  ["postgres://h/shop?ssl=true", "postgres:@h:5432/shop?require"],
  ["postgres://h/shop?channel_binding=require&application_name=me", "postgres:@h:5432/shop?prefer"],
  [
    "host=db.example port = 5433 dbname='my shop' user=app password='it\\'s'",
    "app:it's@db.example:5433/my shop?prefer",
  ],
  ["dbname=shop host=/tmp", "postgres:@/tmp:5432/shop?prefer"],
];

test("an address is read in each form that libpq takes, a driver in its scheme passed over", () => {
  for (const [address, expected] of same) assert.equal(read(address), expected, address);
});

test("what an address leaves out comes from the variables", () => {
  assert.equal(
    read("postgres:///shop", {
      PGHOST: "h",
      PGPORT: "1",
      PGUSER: "app",
      PGPASSWORD: "x",
      PGSSLMODE: "disable",
    }),
    "app:x@h:1/shop?disable",
  );
});

const refused: readonly (readonly [string, RegExp])[] = [
  ["jdbc:postgresql://h/shop?user=app&password=secret", /the scheme "jdbc:"/],
  ["mysql://app:secret@h/shop", /the scheme "mysql:"/],
  ["postgres:app:secret@h", /the scheme "postgres:"/],
  ["secret", /a text of another form/],
  ["postgres://u:100%secret@h/d", /write %25 for a %/],
  ["postgres://u:secret@h:port/d", /the port "port"/],
  ["postgres://u:secret@h:99999/d", /the port "99999"/],
  ["postgres://u:secret@h1,h2/d", /several hosts/],
  ["host=h1,h2 password=secret", /several hosts/],
  ["postgres://u:secret@h/d?schema=public", /the parameter "schema"/],
  ["postgres://u:secret@h/d?sslcert=c.pem", /the parameter "sslcert"/],
  ["host=h password='secret", /a value of "password" that does not end/],
  ["host=h secret", /a word without an equals sign/],
  ["postgres://u:secret@h/d?sslmode=full", /sslmode is one of/],
];

test("what is not taken is named by its part, and no password is shown", () => {
  for (const [address, reason] of refused)
    assert.throws(
      () => read(address),
      (error) =>
        error instanceof RefusedError && reason.test(error.message) && !error.message.includes("secret"),
      address,
    );
});

test("a service and a password come from libpq's files", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pgstack-address-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const services = join(folder, "services");
  writeFileSync(
    services,
    "# ours\n[shop]\nhost=db.example\nport=5433\nuser=app\ndbname=shop\n[other]\nhost=elsewhere\n",
  );
  const passwords = join(folder, "passwords");
  writeFileSync(passwords, "elsewhere:*:*:*:no\n# x\ndb.example:5433:*:app:a\\:b\n", { mode: 0o600 });
  const env = { PGSERVICEFILE: services, PGPASSFILE: passwords };
  assert.equal(read("service=shop", env), "app:a:b@db.example:5433/shop?prefer");
  assert.equal(read("service=shop user=me password=x", env), "me:x@db.example:5433/shop?prefer");
  assert.equal(read("postgres:///?service=other&user=me", env), "me:no@elsewhere:5432/me?prefer");
  assert.throws(() => read("service=none", env), /the service "none" in a service file/);
});
