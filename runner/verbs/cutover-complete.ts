import { reachComplete } from "../cutover/frozen-stages.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-complete", "hands the clients to the target", reachComplete);
