import { test } from "node:test";
import { assertOneRevision, copyModelExample } from "../support/model-example.ts";

test("the example with Drizzle gives a migration, and after that an empty one", async (t) => {
  const example = copyModelExample("drizzle", t);
  const words = ["install", "--no-audit", "--no-fund", "--prefer-offline", "--prefix", example.directory];
  const failed = await example.install("npm", words);
  if (failed !== undefined) return t.skip(`npm cannot install Drizzle here: ${failed.message}`);
  await assertOneRevision(example);
});
