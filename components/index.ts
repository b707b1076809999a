// The package's components. docs/from-your-program.md shows how they are used.
export { configuredServer, loadConfig } from "./config.ts";
export { Database, type DatabaseArgs, type MigrationsOutput } from "./database.ts";
export { Instance, LocalInstance, type Server } from "./instance.ts";
export type {
  AdoptSettings,
  CutoverSettings,
  DatabaseSettings,
  DumpSettings,
  Duration,
  InstanceArgs,
  LocalInstanceArgs,
  MigrationsSettings,
  RestoreSettings,
  RoleArgs,
} from "./interfaces.ts";
