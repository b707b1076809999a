import { connectionFromEnvironment } from "../connection.ts";
import { withAdmin } from "../cutover/session.ts";
import { readState } from "../cutover/state.ts";
import { ExitCode, UserError } from "../user-error.ts";
import type { Question, Verb } from "../verb.ts";

/** What a stack's program asks about its cutover. */
export interface CutoverCheck {
  /** Of the switch that was completed here; null where none was, or where nobody knows. */
  readonly attempt: string | null;
}

const check: Verb = {
  summary: "tells by which attempt a switch was completed, if it was",
  usage: "cutover-check < QUESTION",
  flags: {},
  run: async ({ stdin, print }) => {
    const { environment } = JSON.parse(await stdin()) as Question<object>;
    const target = connectionFromEnvironment(environment);
    const state = await withAdmin(target, (client) => readState(client, "target")).catch((error) => {
      if (error instanceof UserError) return undefined;
      throw error;
    });
    const answer: CutoverCheck = { attempt: state?.phase === "active" ? (state.attempt ?? "") : null };
    print(JSON.stringify(answer));
    return ExitCode.done;
  },
};

export default check;
