import assert from "node:assert/strict";
import { test } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import { previousState } from "../../../components/parts/previous-update.ts";

/** Lets the engine answer with these errors first, then with the outputs. Returns how often it was asked. */
async function engineThatFails(...errors: string[]): Promise<() => number> {
  let asked = 0;
  const call = () => {
    const error = errors[asked++];
    if (error !== undefined) throw Object.assign(new Error(error), { details: error }); // as gRPC words its errors
    return { outputs: { database: "shop" } };
  };
  const newResource = ({ inputs, name }: pulumi.runtime.MockResourceArgs) => ({ id: name, state: inputs });
  await pulumi.runtime.setMocks({ newResource, call }, "pgstack", "unit", false, "organization");
  return () => asked;
}

test("a state that is read while the engine writes it is read once more", async () => {
  const asked = await engineThatFails("failed to load checkpoint: EOF", "unexpected EOF");
  assert.deepEqual(await previousState().stackOutputs(), { database: "shop" });
  assert.equal(asked(), 3);
});

test("any other error of the engine is passed on at once", async () => {
  const asked = await engineThatFails("no stack named 'dev' found");
  await assert.rejects(previousState().stackOutputs(), /no stack named 'dev' found/);
  assert.equal(asked(), 1);
});
