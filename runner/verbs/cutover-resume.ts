import { reachResume } from "../cutover/resume.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-resume", "sends the clients behind PgBouncer to the target", reachResume);
