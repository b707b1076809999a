import type { Action } from "@supabase/pg-delta/plan";

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
