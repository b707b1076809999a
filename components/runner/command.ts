/**
 * The command line of a runner's verb. It is relative to the project's root, where the command provider runs,
 * so that a stack's state is the same from every checkout. Settings go to standard input, never in here.
 */
export function runner(verb: string): string {
  return `node runner/main.ts ${verb}`;
}
