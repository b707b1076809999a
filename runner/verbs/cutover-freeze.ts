import { reachFreeze } from "../cutover/stages/before-freeze.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-freeze", "makes the source read-only and proves it", reachFreeze);
