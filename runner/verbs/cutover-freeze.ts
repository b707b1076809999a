import { reachFreeze } from "../cutover/live-stages.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-freeze", "makes the source read-only and proves it", reachFreeze);
