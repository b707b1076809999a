import type { StackCommand } from "../command.ts";

const typed = (load: () => Promise<{ default: StackCommand }>) => async () => (await load()).default;

/** Commands on stacks, by name; those that are not here come from the runner. Each module is loaded when its command is called. */
export const stackCommands: Readonly<Record<string, () => Promise<StackCommand>>> = {
  adopt: typed(() => import("./adopt.ts")),
  completion: typed(() => import("./completion.ts")),
  destroy: typed(() => import("./destroy.ts")),
  doctor: typed(() => import("./doctor.ts")),
  downgrade: typed(() => import("./downgrade.ts")),
  env: typed(() => import("./env.ts")),
  preview: typed(() => import("./preview.ts")),
  refresh: typed(() => import("./refresh.ts")),
  test: typed(() => import("./test.ts")),
  up: typed(() => import("./up.ts")),
  upgrade: typed(() => import("./upgrade.ts")),
};
