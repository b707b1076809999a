import { reachResume } from "../cutover/stages/resume.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-resume", "sends the clients behind PgBouncer to the target", reachResume);
