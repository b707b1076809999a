import * as v from "valibot";
import { RefusedError } from "../util/errors.ts";
import type { Call } from "./command.ts";

/**
 * The value of a flag, checked as the configuration checks the key of the same meaning. Throws RefusedError that says what
 * the flag takes.
 *
 * @param key what the configuration's key has to be
 * @param otherwise what counts where the flag is not given; by default the key's own default
 */
export function flagValue<Key extends v.GenericSchema>(
  key: Key,
  { flags }: Pick<Call, "flags">,
  name: string,
  otherwise?: v.InferInput<Key>,
): v.InferOutput<Key> {
  const given = flags[name] ?? otherwise;
  const text = v.safeParse(key, given);
  const result = !text.success && /^\d+$/.test(String(given)) ? v.safeParse(key, Number(given)) : text;
  if (result.success) return result.output;
  throw new RefusedError(`Expected after --${name} ${result.issues[0].message}, found "${given}".`);
}
