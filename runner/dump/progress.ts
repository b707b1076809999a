/** Where progress goes; `terminal` allows redrawing a line. */
export interface Output {
  readonly log: (text: string) => void;
  readonly terminal: boolean;
}

/** What long work has done so far. */
export interface ProgressState {
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
  readonly seconds: number;
}

const units = ["B", "kB", "MB", "GB", "TB"];

/** A size for people: powers of 1000, three digits. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** One line, such as `dump: 12 of 40 tables, 512 MB, 85.3 MB/s`. */
export function progressLine(what: string, { done, total, bytes, seconds }: ProgressState): string {
  const rate = seconds > 0 ? `, ${formatBytes(bytes / seconds)}/s` : "";
  return `${what}: ${done} of ${total} tables, ${formatBytes(bytes)}${rate}`;
}

const redrawEveryMs = 500;
const lineEveryMs = 10_000;

/**
 * Reports on long work until it is disposed: redraws one line on a terminal, writes a line now and then elsewhere.
 * @param sample how far the work is, asked for at each report
 */
export function reportProgress(
  output: Output,
  what: string,
  sample: () => Promise<{ done: number; total: number; bytes: number }>,
): Disposable {
  const began = Date.now();
  let drawn = false;
  let busy = false;
  const report = async () => {
    if (busy) return;
    busy = true;
    const state = await sample().catch(() => undefined);
    busy = false;
    if (state === undefined || stopped) return;
    const line = progressLine(what, { ...state, seconds: (Date.now() - began) / 1000 });
    output.log(output.terminal && drawn ? `\x1b[1A\x1b[2K${line}` : line);
    drawn = true;
  };
  let stopped = false;
  const timer = setInterval(report, output.terminal ? redrawEveryMs : lineEveryMs);
  timer.unref();
  return {
    [Symbol.dispose]: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}
