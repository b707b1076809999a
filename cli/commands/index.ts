import type { StackCommand } from "../command.ts";

const typed = (load: () => Promise<{ default: StackCommand }>) => async () => (await load()).default;

/** Commands on stacks, by name; those that are not here come from the runner. Each module is loaded when its command is called. */
export const stackCommands: Readonly<Record<string, () => Promise<StackCommand>>> = {
  adopt: typed(() => import("./adopt.ts")),
  completion: typed(() => import("./completion.ts")),
  doctor: typed(() => import("./doctor.ts")),
  downgrade: typed(() => import("./downgrade.ts")),
  drift: typed(() => import("./drift.ts")),
  env: typed(() => import("./env.ts")),
  plan: typed(() => import("./plan.ts")),
  test: typed(() => import("./test.ts")),
  upgrade: typed(() => import("./upgrade.ts")),
  ...Object.fromEntries(
    (["up", "preview", "refresh", "destroy"] as const).map((name) => [
      name,
      async () => (await import("./update.ts")).updateCommands[name],
    ]),
  ),
};
