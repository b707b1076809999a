import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { serverUser } from "../../runner/postgres/server-user.ts";

/** A disk in memory, with a folder on it for a tablespace. */
export interface SmallDisk {
  readonly space: string;
  /** False where it cannot get this size. */
  readonly resize: (megabytes: number) => boolean;
  readonly remove: () => void;
}

/** Mounts a small disk below `folder`, which servers may enter from now on; undefined without the right to mount one. */
export function mountSmallDisk(folder: string, megabytes: number): SmallDisk | undefined {
  const disk = join(folder, "disk");
  const mount = (options: string) =>
    spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk]).status === 0;
  mkdirSync(disk);
  if (!mount(`size=${megabytes}m`)) return undefined;
  const space = join(disk, "space");
  mkdirSync(space, { mode: 0o700 });
  serverUser().own(space);
  spawnSync("chmod", ["755", folder]);
  return {
    space,
    resize: (size) => mount(`size=${size}m,remount`),
    remove: () => spawnSync("umount", ["-l", disk]),
  };
}
