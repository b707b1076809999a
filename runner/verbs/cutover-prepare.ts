import { reachPrepare } from "../cutover/stages/before-freeze.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb(
  "cutover-prepare",
  "copies and compares as far as that can be done before the freeze",
  async (cutover) => ({ ahead: await reachPrepare(cutover) }),
);
