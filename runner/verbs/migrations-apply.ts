import type { Manifest } from "../migrations/plan/manifest.ts";
import { applyManifest } from "../migrations/apply-manifest.ts";
import { ExitCode } from "../util/errors.ts";
import type { Verb } from "../cli/command.ts";

const migrationsApply: Verb = {
  summary: "applies what a stack's manifest asks for and the database lacks; prints count and head",
  usage: "migrations-apply < MANIFEST",
  flags: {},
  run: async ({ stdin, env, print, log }) => {
    const manifest = JSON.parse(await stdin()) as Manifest;
    print(JSON.stringify(await applyManifest(manifest, env, log)));
    return ExitCode.done;
  },
};

export default migrationsApply;
