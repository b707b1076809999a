import { updateCommand } from "./update.ts";

export default updateCommand("destroy", "removes everything that the stack has made");
