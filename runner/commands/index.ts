import type { Command } from "../cli/command.ts";

type Load = () => Promise<Command>;

const typed = (load: () => Promise<{ default: Command }>): Load => {
  return async () => (await load()).default;
};

/** Commands that people type, by name. Each module is loaded when its command is called. */
export const commands: Readonly<Record<string, Load>> = {
  adopt: typed(() => import("./adopt.ts")),
  backups: typed(() => import("./backups.ts")),
  cutover: typed(() => import("./cutover.ts")),
  doctor: typed(() => import("./doctor.ts")),
  downgrade: typed(() => import("./downgrade.ts")),
  dump: typed(() => import("./dump.ts")),
  import: typed(() => import("./import.ts")),
  psql: typed(() => import("./psql.ts")),
  repair: typed(() => import("./repair.ts")),
  restore: typed(() => import("./restore.ts")),
  revision: typed(() => import("./revision.ts")),
  roles: typed(() => import("./roles.ts")),
  status: typed(() => import("./status.ts")),
  upgrade: typed(() => import("./upgrade.ts")),
};

type Commands = Readonly<Record<string, Command>>;

/** Modules of internal commands, by the first word of their commands' names. */
const modules: Readonly<Record<string, () => Promise<{ commands: Commands }>>> = {
  connection: () => import("./internal/connection.ts"),
  cutover: () => import("./internal/cutover.ts"),
  dump: () => import("./internal/dump.ts"),
  instance: () => import("./internal/instance.ts"),
  migration: () => import("./internal/migrations.ts"),
  migrations: () => import("./internal/migrations.ts"),
  password: () => import("./internal/roles.ts"),
  provider: () => import("./internal/roles.ts"),
  restore: () => import("./internal/restore.ts"),
  rights: () => import("./internal/roles.ts"),
  role: () => import("./internal/roles.ts"),
  roles: () => import("./internal/roles.ts"),
  serve: () => import("./internal/serve.ts"),
};

/**
 * An internal command: one that a stack's resources or the entry script run, most of them with JSON on standard input.
 * Undefined where there is none of that name.
 */
export async function internalCommand(name: string): Promise<Command | undefined> {
  const load = modules[name.split("-", 1)[0] as string];
  if (load === undefined) return undefined;
  const { commands: found } = await load();
  return Object.hasOwn(found, name) ? found[name] : undefined;
}
