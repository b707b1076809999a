/** Seconds that `work` takes. */
export async function seconds(work: () => unknown): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/**
 * The least of several runs of each contender, taken in turns so that a busy moment of the machine hits all alike.
 * Each contender does its own cleaning up between runs in `before`, which is not timed.
 */
export async function bestOf(
  rounds: number,
  contenders: Readonly<Record<string, { before?: () => unknown; run: () => unknown }>>,
): Promise<Record<string, number>> {
  const best: Record<string, number> = {};
  for (let round = 0; round < rounds; round++)
    for (const [name, { before, run }] of Object.entries(contenders)) {
      await before?.();
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, await seconds(run));
    }
  return best;
}

/** The middle one of several measurements. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** One line of a report: what was measured, against what, and their ratio. */
export function report(name: string, value: number, peer: number, peerName: string): void {
  const ratio = (value / peer).toFixed(2);
  process.stdout.write(`${name}: ${value.toFixed(2)} s, ${ratio}x of ${peerName} (${peer.toFixed(2)} s)\n`);
}
