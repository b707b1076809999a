import { reachCopy } from "../cutover/frozen-stages.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-copy", "copies the frozen source", reachCopy);
