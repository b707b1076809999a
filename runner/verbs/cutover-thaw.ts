import { release } from "../cutover/stages/rollback.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-thaw", "puts the source back as it was before the freeze", release);
