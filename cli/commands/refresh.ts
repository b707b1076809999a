import { updateCommand } from "./update.ts";

export default updateCommand("refresh", "reads into the stack's state what is really there");
