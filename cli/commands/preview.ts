import { updateCommand } from "./update.ts";

export default updateCommand("preview", "shows what up would do");
