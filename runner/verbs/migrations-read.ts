import { filesOf } from "../migrations/call.ts";
import { questionVerb } from "../question-verb.ts";

/** Where the files are. */
export interface ReadRequest {
  readonly directory: string;
}

export default questionVerb<ReadRequest>("migrations-read", "the files of migrations, as JSON", filesOf);
