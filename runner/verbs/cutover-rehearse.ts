import { rehearse } from "../cutover/stages/rehearse.ts";
import { cutoverVerb } from "../cutover/verb.ts";

export default cutoverVerb(
  "cutover-rehearse",
  "copies a snapshot of the source, compares, and reports what a switch would take",
  rehearse,
);
