import { reachVerify } from "../cutover/frozen-stages.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-verify", "compares both sides", reachVerify);
