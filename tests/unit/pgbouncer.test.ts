import assert from "node:assert/strict";
import { test } from "node:test";
import {
  entriesOf,
  entryNamed,
  redirectedTo,
  valuesOf,
  withEntry,
} from "../../runner/cutover/pgbouncer/config-file.ts";
import { parseAuthFile } from "../../runner/cutover/pgbouncer/logins.ts";

const file = `;; comment = host=none
[databases]
; gone = host=none
app=host=old port=5432 pool_size=3
 "we ird ""x""" = dbname='a b' host=old\t
* = host=elsewhere
app_ro =   \r
[pgbouncer]
listen_port = 6432
[databases]
late = host=later
`;

test("entries are read from every section [databases], bare and quoted, without comments", () => {
  assert.deepEqual(
    entriesOf(file).map(({ name, text }) => [name, text]),
    [
      ["app", "host=old port=5432 pool_size=3"],
      ['we ird "x"', "dbname='a b' host=old"],
      ["*", "host=elsewhere"],
      ["app_ro", ""],
      ["late", "host=later"],
    ],
  );
  assert.deepEqual(valuesOf("dbname='it''s' host = h password="), {
    dbname: "it's",
    host: "h",
    password: "",
  });
});

test("an entry is led elsewhere, and every other byte stays", () => {
  const place = { host: "new.internal", port: 6000, database: "app" };
  const lead = (name: string, to = place) => {
    const entry = entryNamed(file, name) ?? assert.fail();
    const after = withEntry(file, entry, redirectedTo(entry, to));
    const moved = entryNamed(after, name) ?? assert.fail();
    assert.equal(withEntry(after, moved, entry.text), file, "the rollback restores the file");
    return moved.text;
  };
  assert.equal(lead("app"), "host=new.internal port=6000 pool_size=3");
  assert.equal(lead('we ird "x"'), "dbname=app host=new.internal port=6000");
  assert.equal(lead("app_ro"), "host=new.internal port=6000 dbname=app");
  assert.equal(
    lead("app", { ...place, database: "it's" }),
    "host=new.internal port=6000 pool_size=3 dbname='it''s'",
  );
  assert.equal(lead("late"), "host=new.internal port=6000 dbname=app");
});

test("the last of two entries of one name counts, as for PgBouncer", () => {
  const twice = "[databases]\napp = host=first\napp = host=second\n";
  const entry = entryNamed(twice, "app") ?? assert.fail();
  assert.equal(withEntry(twice, entry, "host=third"), "[databases]\napp = host=first\napp = host=third\n");
});

test("an auth_file's quotes are read as PgBouncer reads them", () => {
  const users = parseAuthFile('"app" "se""cret"\n;"gone" "x"\n"o""wn"\t"md5abc" ""\n');
  assert.deepEqual(
    [...users],
    [
      ["app", 'se"cret'],
      ['o"wn', "md5abc"],
    ],
  );
});
