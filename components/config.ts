import * as pulumi from "@pulumi/pulumi";
import { parseConfig, type StackConfig } from "../runner/config/parse.ts";

const namespace = "pgstack:";

/** The configuration of the stack that this program runs for. Throws ConfigError. */
export function loadConfig(): StackConfig {
  const ours = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(namespace));
  return parseConfig(Object.fromEntries(ours.map(([key, value]) => [key.slice(namespace.length), value])));
}
