import { reachCopy } from "../cutover/switch.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-copy", "copies the frozen source", reachCopy);
