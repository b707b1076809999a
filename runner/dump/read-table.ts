import type { Programs } from "../server/programs.ts";
import { runProgram } from "./run-program.ts";

/**
 * The rows of one small table of a dump, by column, in COPY's own text form; none where the dump does not hold it.
 * Names are taken literally.
 */
export async function readTable(
  path: string,
  programs: Programs,
  table: { readonly schema: string; readonly table: string },
): Promise<Record<string, string>[]> {
  let text = "";
  const code = await runProgram({
    programs,
    program: "pg_restore",
    args: ["--data-only", `--schema=${table.schema}`, `--table=${table.table}`, "--file=-", "--", path],
    onOutput: async (output) => {
      for await (const chunk of output) text += chunk;
    },
  });
  const found = text.match(/^COPY .* \((.*)\) FROM stdin;\n([\s\S]*?)^\\\.$/m);
  if (code !== 0 || found === null) return [];
  const columns = (found[1] ?? "").split(", ");
  const lines = (found[2] ?? "").split("\n").slice(0, -1);
  return lines.map((line) =>
    Object.fromEntries(line.split("\t").map((value, index) => [columns[index] ?? "", value])),
  );
}
