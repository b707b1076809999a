import { reachPause } from "../cutover/switch.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-pause", "makes the clients behind PgBouncer wait", reachPause);
