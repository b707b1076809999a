import { updateCommand } from "./update.ts";

export default updateCommand(
  "up",
  "makes the database what the program says: roles, migrations, grants, dumps",
);
