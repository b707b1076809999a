import { filesOf } from "../migrations/cli-options.ts";
import { questionVerb } from "../cli/command.ts";

/** Where the files are. */
export interface ReadRequest {
  readonly directory: string;
}

export default questionVerb<ReadRequest>("migrations-read", "the files of migrations, as JSON", filesOf);
