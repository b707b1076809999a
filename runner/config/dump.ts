import * as v from "valibot";

/** A path relative to the project's root, or an absolute one. */
export const Path = v.pipe(v.string("a path"), v.nonEmpty("a path"));

/** Processes that work side by side. */
export const Jobs = v.union(
  [v.picklist(["auto", "max"]), v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256))],
  "auto (half of the cores), max (all cores) or a number from 1 to 256",
);

const compressionForm = "none, gzip:1 to gzip:9, zstd or lz4";

/** What `pgstack:dump` may say; the flags of `dump` and `restore` take the same values. */
export const Dump = v.strictObject({
  /** A changed label makes a new dump, and nothing else does. It becomes a part of the file's name. */
  label: v.pipe(
    v.string("a label"),
    v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "1 to 100 letters, digits, dots, dashes and underscores"),
  ),
  /** Folder for the dumps. */
  directory: v.optional(Path, "dumps"),
  /** pg_dump's formats that can be restored selectively and in parallel. */
  format: v.optional(v.picklist(["custom", "directory"], "custom or directory"), "custom"),
  /** Used by the format `directory`; pg_dump writes the custom one alone. */
  jobs: v.optional(Jobs, "auto"),
  /** The default is fast to write, and never slower to read than pg_dump's own (gzip, level 6). Whether pg_dump has it is asked later. */
  compression: v.optional(
    v.pipe(v.string(compressionForm), v.regex(/^(none|gzip(:[1-9])?|zstd|lz4)$/, compressionForm)),
    "gzip:1",
  ),
  /** How many of the stack's labelled dumps stay, newest first (default: all). */
  keep: v.optional(v.pipe(v.number("a number"), v.integer("a whole number"), v.minValue(1, "1 or more"))),
  /** Before pending migrations, which it protects against, or after them. */
  when: v.optional(v.picklist(["before", "after"], "before or after"), "before"),
  /** What happens to the dump when its resource goes. */
  onDelete: v.optional(v.picklist(["keep", "delete"], "keep or delete"), "keep"),
});
/** The dump that a stack makes: `pgstack:dump`. */
export type DumpConfig = v.InferOutput<typeof Dump>;
