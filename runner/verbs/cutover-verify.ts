import { reachVerify } from "../cutover/stages/after-freeze.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-verify", "compares both sides", reachVerify);
