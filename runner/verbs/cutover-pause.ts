import { reachPause } from "../cutover/live-stages.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-pause", "makes the clients behind PgBouncer wait", reachPause);
