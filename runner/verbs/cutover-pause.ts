import { reachPause } from "../cutover/stages/before-freeze.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb("cutover-pause", "makes the clients behind PgBouncer wait", reachPause);
