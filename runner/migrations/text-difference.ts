/** The lines in which two texts differ, old ones with `-` and new ones with `+`, with a few lines around them. */
export function differingLines(before: string, after: string, context = 2): string[] {
  const [old, now] = [before.split("\n"), after.split("\n")];
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail))
    tail++;
  const marked = (sign: string, lines: string[]) => lines.map((line) => `${sign} ${line}`);
  return [
    ...marked(" ", old.slice(Math.max(0, head - context), head)),
    ...marked("-", old.slice(head, old.length - tail)),
    ...marked("+", now.slice(head, now.length - tail)),
    ...marked(" ", now.slice(now.length - tail, now.length - tail + context)),
  ];
}
