/** Where progress goes; `terminal` allows redrawing a line. */
export interface Output {
  readonly log: (text: string) => void;
  readonly terminal: boolean;
}

/** What long work has done so far. */
export interface ProgressState {
  /** Tables whose rows are through. */
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
  /** The part of the work that is done, from 0 to 1; undefined where nothing tells. */
  readonly fraction?: number | undefined;
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

const barWidth = 20;

/** A bar such as `[████████            ]`. */
function bar(fraction: number): string {
  return `[${"█".repeat(Math.round(fraction * barWidth)).padEnd(barWidth)}]`;
}

/** A span of time for people: seconds below two minutes, minutes below two hours. */
function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Below this part of the work, the time that is left is a guess. */
const leastFraction = 0.02;

/**
 * One line, such as `dump: [█████     ] 52 %, 12 of 40 tables, 512 MB, 85.3 MB/s, 10 s left`. Pure.
 * @param seconds since the work began
 */
export function progressLine(what: string, state: ProgressState, seconds: number): string {
  const { done, total, bytes, fraction } = state;
  const rate = seconds > 0 ? `, ${formatBytes(bytes / seconds)}/s` : "";
  const counts = `${done} of ${total} tables, ${formatBytes(bytes)}${rate}`;
  if (fraction === undefined) return `${what}: ${counts}`;
  const left =
    fraction < leastFraction ? "" : `, ${formatSeconds((seconds * (1 - fraction)) / fraction)} left`;
  return `${what}: ${bar(fraction)} ${Math.floor(fraction * 100)} %, ${counts}${left}`;
}

/**
 * How far a program is that works on tables one after the other, as it says when it begins each. Pure.
 * @param begun names of the tables that were begun, in order
 * @param weights what each table costs (bytes or rows), by name
 * @param jobs how many are worked on at once
 */
export function tablesDone(
  begun: readonly string[],
  weights: Readonly<Record<string, number>>,
  jobs: number,
): { done: number; fraction: number | undefined } {
  const done = begun.slice(0, Math.max(0, begun.length - jobs));
  const whole = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const part = done.reduce((sum, name) => sum + (weights[name] ?? 0), 0);
  return { done: done.length, fraction: whole === 0 ? undefined : Math.min(1, part / whole) };
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
  sample: () => Promise<ProgressState>,
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
    const line = progressLine(what, state, (Date.now() - began) / 1000);
    output.log(output.terminal && drawn ? `\x1b[1A\x1b[2K${line}` : line);
    drawn = true;
  };
  let stopped = false;
  const timer = setInterval(() => void report(), output.terminal ? redrawEveryMs : lineEveryMs);
  timer.unref();
  return {
    [Symbol.dispose]: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}
