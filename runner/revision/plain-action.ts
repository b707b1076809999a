import type { Action } from "@supabase/pg-delta/plan";
import pg from "pg";

/** A name with what it is in, in quotes. */
export const quoted = (...names: string[]) => names.map((name) => pg.escapeIdentifier(name)).join(".");

/** An action of which no order depends and that loses nothing. */
export const plain: Omit<Action, "sql" | "verb"> = {
  produces: [],
  consumes: [],
  destroys: [],
  releases: [],
  transactionality: "transactional",
  lockClass: "accessExclusive",
  newSegmentBefore: false,
  dataLoss: "none",
  rewriteRisk: false,
};
