import * as v from "valibot";
import { Jobs, Path } from "./dump.ts";

export const Restore = v.strictObject({
  /** The dump, file or directory. Another path restores. */
  from: Path,
  /** Its checksum; another one restores. Without it, the dump at that path counts as always the same. */
  sha256: v.optional(
    v.pipe(v.string("a SHA-256"), v.regex(/^[0-9a-f]{64}$/, "a SHA-256: 64 digits from 0 to 9 and a to f")),
  ),
  jobs: v.optional(Jobs, "auto"),
  /** Agrees to the loss of what the database holds. */
  overwrite: v.optional(v.boolean("true or false"), false),
  /** An SQL script that is run on the restored rows before anyone else may connect. */
  sanitize: v.optional(Path),
});
/** The dump that a stack's database comes from: `pgstack:restore`. */
export type RestoreConfig = v.InferOutput<typeof Restore>;
