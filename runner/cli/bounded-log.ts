type Log = (line: string) => void;

/** Bytes that pass as they come. */
const freely = 32 * 1024;
/** Milliseconds between two lines after that. */
const pause = 10_000;

/** A log that a stack's state can hold: it keeps all that a command writes to standard error. */
export interface BoundedLog {
  readonly log: Log;
  /** Writes the last line, where it was left out. */
  readonly end: () => void;
}

/**
 * Passes lines on as long as they are few, then one now and then, so that long work still shows where it is.
 * @param now milliseconds, from any start
 */
export function boundedLog(write: Log, now: () => number = () => performance.now()): BoundedLog {
  let bytes = 0;
  let last = 0;
  let leftOut: string[] = [];
  const pass = (line: string) => {
    if (leftOut.length > 0) write(`(${leftOut.length} lines are left out)`);
    leftOut = [];
    last = now();
    bytes += Buffer.byteLength(line) + 1;
    write(line);
  };
  return {
    log: (line) => {
      if (bytes < freely || now() - last >= pause) pass(line);
      else leftOut.push(line);
    },
    end: () => {
      const line = leftOut.pop();
      if (line !== undefined) pass(line);
    },
  };
}
