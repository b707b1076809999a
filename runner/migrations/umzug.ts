import { createRequire, Module } from "node:module";
import type { Umzug } from "umzug";

const require = createRequire(import.meta.url);

/** Loads Umzug without its command line: nobody calls that here, and it takes longer to load than all else together. */
export function loadUmzug(): typeof Umzug {
  const commandLine = require.resolve("umzug/lib/cli.js");
  require.cache[commandLine] ??= Object.assign(new Module(commandLine), { loaded: true });
  return (require("umzug/lib/umzug.js") as { Umzug: typeof Umzug }).Umzug;
}
