import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { installedPrograms } from "../../runner/postgres/programs.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "pgstack-programs-")));
const path = process.env.PATH;
after(() => {
  process.env.PATH = path;
  rmSync(root, { recursive: true });
});

/** A folder on PATH; `initdb` in it is a program of its own, or a link. */
function folder(name: string, initdb: { version: string } | { link: string }): string {
  const directory = join(root, name);
  mkdirSync(directory);
  const place = join(directory, "initdb");
  if ("link" in initdb) symlinkSync(initdb.link, place);
  else
    writeFileSync(place, `#!/bin/sh\necho "initdb (PostgreSQL) ${initdb.version}"\n`, {
      mode: 0o755,
    });
  return directory;
}

test("a version that links lead to is found once, and a script that chooses a version is none", async () => {
  const real = folder("real", { version: "99.1" });
  writeFileSync(join(root, "pg_wrapper"), '#!/bin/sh\necho "initdb (PostgreSQL) 98.1"\n', { mode: 0o755 });
  const links = [
    folder("links", { link: join(real, "initdb") }),
    folder("chooser", { link: join(root, "pg_wrapper") }),
  ];
  process.env.PATH = [...links, real, path].join(delimiter);
  const found = (await installedPrograms("initdb")).filter(({ major }) => major >= 98);
  assert.deepEqual(found, [{ directory: real, version: "99.1", major: 99 }]);
});
