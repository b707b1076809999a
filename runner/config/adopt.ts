import * as v from "valibot";
import { RoleName, unique } from "./types.ts";

export const Adopt = v.strictObject({
  /** Import what exists and change nothing in it; to be taken out once the import is done. */
  importOnly: v.optional(v.boolean("true or false"), false),
  /** Roles that were there before: their password stays, unless `passwords` has one, and so do attributes that a stack cannot say. */
  roles: v.optional(unique(RoleName), []),
});
/** What a stack takes over from before it: `pgstack:adopt`. */
export type AdoptConfig = v.InferOutput<typeof Adopt>;
