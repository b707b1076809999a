import "../../components/runner/fast-startup.ts"; // before Pulumi, as in index.ts

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import * as pulumi from "@pulumi/pulumi";

const require = createRequire(import.meta.url);
const loaded = () => Object.keys(require.cache).filter((path) => require.cache[path]?.children.length !== 0);
const isLoaded = (part: string) => loaded().some((path) => path.includes(part));

test("what Pulumi's SDK loads and the program never calls is left out until it is called", async () => {
  assert.equal(isLoaded("@npmcli/arborist/lib/arborist"), false);
  assert.equal(isLoaded("@pulumi/pulumi/automation/localWorkspace"), false);
  assert.equal(typeof pulumi.automation.LocalWorkspace.createStack, "function");
  assert.equal(isLoaded("@pulumi/pulumi/automation/localWorkspace"), true);
  const { text } = await pulumi.runtime.serializeFunction(() => 42);
  assert.match(text, /=> 42/);
});
