import { reachCopy } from "../cutover/stages/after-freeze.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-copy", "copies the frozen source", reachCopy);
