import { connectionFromEnvironment } from "../postgres/connection.ts";
import { withAdmin } from "../cutover/freeze/sessions.ts";
import { readState } from "../cutover/state/state.ts";
import { questionVerb } from "../cli/command.ts";
import { UserError } from "../util/errors.ts";

/** What a stack's program asks about its cutover. */
export interface CutoverCheck {
  /** Of the switch that was completed here; null where none was, or where nobody knows. */
  readonly attempt: string | null;
}

export default questionVerb<object>(
  "cutover-check",
  "tells by which attempt a switch was completed, if it was",
  async (_, environment): Promise<CutoverCheck> => {
    const target = connectionFromEnvironment(environment);
    const state = await withAdmin(target, (client) => readState(client, "target")).catch((error) => {
      if (error instanceof UserError) return undefined;
      throw error;
    });
    return { attempt: state?.phase === "active" ? (state.attempt ?? "") : null };
  },
);
