import type { Readable } from "node:stream";

/** The lines of a stream, as they come. LF alone ends one: text in JSON may hold all else that is taken for an end of line. */
export async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let parts: string[] = []; // of a long line, joined once
  for await (const chunk of stream.setEncoding("utf8")) {
    const [first = "", ...more] = (chunk as string).split("\n");
    parts.push(first);
    for (const next of more) {
      yield parts.join("");
      parts = [next];
    }
  }
  const rest = parts.join("");
  if (rest !== "") yield rest;
}
