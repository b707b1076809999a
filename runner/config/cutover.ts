import * as v from "valibot";
import { Duration } from "./types.ts";

const text = (what: string) => v.pipe(v.string(what), v.nonEmpty(what));

/** A PgBouncer in front of the old database, whose clients keep their connections and see a pause. */
const PgBouncer = v.strictObject({
  /** A user of its console (database `pgbouncer`) who may pause. Secret. */
  adminUrl: v.pipe(
    v.string("postgres://user:password@host:port/pgbouncer"),
    v.check(
      (url) => /^postgres(ql)?:$/.test(URL.parse(url)?.protocol ?? ""),
      "postgres://user:password@host:port/pgbouncer, with each part percent-encoded",
    ),
  ),
  /** Its configuration, which the machine that runs `up` can rewrite. */
  configFile: text("the path of a file"),
});

const jobs = "auto (one for each core, up to 8) or a number from 1 to 64";

export const Cutover = v.strictObject({
  /** The stack whose database moves here. */
  from: v.pipe(
    v.string("organization/project/stack"),
    v.regex(/^[^/\s]+\/[^/\s]+\/[^/\s]+$/, "organization/project/stack, such as organization/pgstack/prod"),
  ),
  /** Copy beside the live source, or move over. */
  state: v.optional(v.picklist(["rehearse", "switch"], "rehearse or switch"), "rehearse"),
  /** All rows under the freeze, or ahead of it by logical replication. */
  method: v.optional(v.picklist(["copy", "replicate"], "copy or replicate"), "copy"),
  /** What the old database still allows from the switch on. */
  freeze: v.optional(v.literal("readonly", "readonly"), "readonly"),
  /** For how long a switch may refuse writes; then the source is writable again. Milliseconds; 0 is no limit. */
  maxFreeze: v.optional(Duration, 60_000),
  /** Another value rehearses once more. */
  label: v.optional(text("a text")),
  /** Streams side by side. */
  jobs: v.optional(
    v.union(
      [v.literal("auto"), v.pipe(v.number(), v.integer(jobs), v.minValue(1, jobs), v.maxValue(64, jobs))],
      jobs,
    ),
    "auto",
  ),
  /** Tables without a key whose updates and deletes may be sent as whole rows, as schema.table. */
  replicaIdentityFull: v.optional(v.array(text("schema.table"), "a list of tables"), []),
  pgbouncer: v.optional(PgBouncer),
});
/** The move of another stack's database to this one: `pgstack:cutover`. */
export type CutoverConfig = v.InferOutput<typeof Cutover>;
