import { reachVerify } from "../cutover/switch.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-verify", "compares both sides", reachVerify);
