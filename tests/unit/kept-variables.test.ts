import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { keepVariables, keptVariables, newKey, withKeptVariables } from "../../runner/util/kept-variables.ts";

const directory = mkdtempSync(join(tmpdir(), "pgstack-kept-"));
after(() => rmSync(directory, { recursive: true }));

test("kept variables come back by their key alone, and the file shows none of them", () => {
  const [path, key] = [join(directory, "a", "one"), newKey()];
  keepVariables(path, key, { PGPASSWORD: "s3cret é" });
  assert.deepEqual(keptVariables(path, key), { PGPASSWORD: "s3cret é" });
  assert.equal(keptVariables(path, newKey()), undefined);
  assert.equal(keptVariables(join(directory, "none"), key), undefined);
  assert.ok(!readFileSync(path).includes("s3cret"));
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a command takes the kept way, nothing of the old one, and without a file the one that it has", () => {
  const [path, key] = [join(directory, "two"), newKey()];
  const env = {
    PATH: "/bin",
    PGHOST: "old",
    PGSSLROOTCERT: "old.pem",
    PGSTACK_DRIFT: "x",
    PGSTACK_CONNECTION: path,
    PGSTACK_CONNECTION_KEY: key,
  };
  assert.deepEqual(withKeptVariables(env), env);
  keepVariables(path, key, { PGHOST: "new" });
  assert.deepEqual(withKeptVariables(env), {
    PATH: "/bin",
    PGHOST: "new",
    PGSTACK_DRIFT: "x",
    PGSTACK_CONNECTION_KEY: key,
  });
});
