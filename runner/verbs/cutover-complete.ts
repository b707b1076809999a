import { reachComplete } from "../cutover/stages/after-freeze.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-complete", "hands the clients to the target", reachComplete);
