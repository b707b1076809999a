import * as pulumi from "@pulumi/pulumi";
import { ConfigError, parseConfig, type StackConfig } from "../runner/config/parse.ts";
import { Instance, LocalInstance } from "./instance.ts";

const namespace = "pgstack:";

/** The configuration of the stack that this program runs for. Throws RunError that lists every fault, and prints without a stack. */
export function loadConfig(): StackConfig {
  const ours = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(namespace));
  try {
    return parseConfig(Object.fromEntries(ours.map(([key, value]) => [key.slice(namespace.length), value])));
  } catch (error) {
    throw error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
  }
}

/** The server that a stack's configuration names: a local one, or one that others run. */
export function configuredServer(
  name: string,
  {
    instance: { kind: _, ...settings },
    adminPassword,
    adminAuth,
  }: Pick<StackConfig, "instance" | "adminPassword" | "adminAuth">,
): Instance | LocalInstance {
  return "host" in settings
    ? new Instance(name, { ...settings, adminPassword, adminAuth })
    : new LocalInstance(name, settings);
}
