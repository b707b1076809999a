import { RefusedError } from "../user-error.ts";

/** What the resource of a local instance is made from. */
export interface InstanceSettings {
  /** Where its files live, relative to the project's root. */
  readonly directory: string;
  /** On loopback. */
  readonly port: number;
}

/** Reads the JSON that a resource sends. Throws RefusedError where it is not the settings of an instance. */
export function parseInstanceSettings(json: string): InstanceSettings {
  const value = JSON.parse(json) as Partial<InstanceSettings>;
  if (typeof value.directory !== "string" || typeof value.port !== "number")
    throw new RefusedError(`Expected {"directory": …, "port": …} on standard input, found ${json}`);
  return { directory: value.directory, port: value.port };
}
