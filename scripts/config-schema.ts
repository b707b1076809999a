import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { keys } from "../runner/config/parse.ts";
import { Password } from "../runner/config/types.ts";

/** A value as `pulumi config set --secret` writes it. */
const secure: JsonSchema = {
  type: "object",
  properties: { secure: { type: "string" } },
  required: ["secure"],
  additionalProperties: false,
};

function schemaOf(schema: v.GenericSchema) {
  const { $schema: _, ...json } = toJsonSchema(schema, {
    typeMode: "input",
    errorMode: "ignore", // checks that JSON Schema cannot say are left to the program
    overrideSchema: ({ valibotSchema, jsonSchema }) =>
      (valibotSchema as unknown) === Password ? ({ anyOf: [jsonSchema, secure] } as JsonSchema) : undefined,
  });
  return json;
}

/**
 * The JSON Schema of `Pulumi.<stack>.yaml`, made from the checks that the program itself makes. Keys of other namespaces are
 * left alone.
 */
export function configSchema(): object {
  const ours = Object.entries(keys).map(([key, schema]) => [
    `pgstack:${key}`,
    schemaOf(schema as v.GenericSchema),
  ]);
  // nested secrets may stand one by one, as --path writes them
  const paths = { "^pgstack:passwords\\.": { anyOf: [{ type: "string" }, secure] } };
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "A stack of pgstack",
    type: "object",
    properties: {
      config: {
        type: "object",
        properties: Object.fromEntries(ours),
        patternProperties: { ...paths, "^(?!pgstack:)": {} },
        additionalProperties: false,
      },
    },
  };
}
