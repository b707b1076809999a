import { join } from "node:path";
import { test } from "node:test";
import { assertOneRevision, copyModelExample } from "../support/model-example.ts";

test("the example with SQLAlchemy gives a migration, and after that an empty one", async (t) => {
  const example = copyModelExample("sqlalchemy", t);
  const place = (path: string) => join(example.directory, path);
  const pip = ["install", "--quiet", "--disable-pip-version-check", "-r", place("requirements.txt")];
  const failed =
    (await example.install("python3", ["-m", "venv", place(".venv")])) ??
    (await example.install(place(".venv/bin/pip"), pip));
  if (failed !== undefined) return t.skip(`pip cannot install SQLAlchemy here: ${failed.message}`);
  await assertOneRevision(example);
});
