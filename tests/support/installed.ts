import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../../runner/util/project.ts";
import { type Outcome, runClean } from "./project.ts";

/** Programs in folders of their own, each with the package as `npm install` of its tarball leaves it. */
export interface InstalledPackage extends Disposable {
  /** Makes a copy of an example. @returns runs a program there, with a backend that all these programs share */
  readonly program: (example: string) => {
    readonly directory: string;
    readonly run: (...words: string[]) => Promise<Outcome>;
  };
}

/** The tarball, unpacked. Its dependencies come from this checkout, so that no network is needed. */
function install(tarball: string, directory: string): void {
  const modules = join(directory, "node_modules");
  mkdirSync(join(modules, "pgstack"), { recursive: true });
  execFileSync("tar", ["-xzf", tarball, "-C", join(modules, "pgstack"), "--strip-components=1"]);
  for (const name of readdirSync(join(projectRoot, "node_modules")))
    if (!name.startsWith(".")) symlinkSync(join(projectRoot, "node_modules", name), join(modules, name));
  mkdirSync(join(modules, ".bin"));
  symlinkSync("../pgstack/bin/pgstack.js", join(modules, ".bin/pgstack"));
}

/** Makes the package by `npm pack`, which compiles it. */
export function packPackage(): InstalledPackage {
  const root = mkdtempSync(join(tmpdir(), "pgstack-package-"));
  const options = { cwd: projectRoot, encoding: "utf8" } as const;
  const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", root], options);
  const tarball = join(root, packed.trim().split("\n").at(-1) as string);
  const backend = join(root, "backend");
  mkdirSync(backend);
  const variables = {
    PULUMI_BACKEND_URL: `file://${backend}`,
    PULUMI_CONFIG_PASSPHRASE: "of a test",
    PULUMI_NODEJS_TYPESCRIPT: "true", // as the official language host says for `runtime: nodejs`
  };
  return {
    program: (example) => {
      const directory = join(root, example);
      cpSync(join(projectRoot, "examples", example), directory, { recursive: true });
      install(tarball, directory);
      const line = 'eval "$("$1/pgstack" env)" && cd "$2" && shift 2 && exec env "$@"';
      const assigned = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
      return {
        directory,
        run: (...words) =>
          runClean("sh", ["-c", line, "sh", projectRoot, directory, ...assigned, ...words], directory),
      };
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}
