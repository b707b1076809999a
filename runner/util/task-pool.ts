import { availableParallelism } from "node:os";

/** How many streams or statements run side by side where the configuration does not say: one a core, up to eight. */
export function defaultJobs(): number {
  return Math.max(1, Math.min(8, availableParallelism()));
}

/**
 * Runs `work` on every item, each by the first free of `workers`, in the order given. The first error stops
 * further items and is thrown once the running ones have ended.
 */
export async function distribute<Item, Worker>(
  items: readonly Item[],
  workers: readonly Worker[],
  work: (item: Item, worker: Worker) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const failures: unknown[] = [];
  const serve = async (worker: Worker) => {
    for (let item = queue.shift(); item !== undefined && failures.length === 0; item = queue.shift())
      await work(item, worker).catch((error) => failures.push(error));
  };
  await Promise.all(workers.map(serve));
  if (failures.length > 0) throw failures[0];
}

/** One piece of work; what it answers with is to be done next. */
export type Task<Worker> = (worker: Worker) => Promise<readonly Task<Worker>[]>;

/**
 * Runs tasks, each by the first free of `workers`. What follows from a task comes before what waits. The first error
 * stops further tasks and is thrown once the running ones have ended.
 */
export async function runTasks<Worker>(
  tasks: readonly Task<Worker>[],
  workers: readonly Worker[],
): Promise<void> {
  const waiting = [...tasks];
  const running = new Map<Worker, Promise<void>>();
  const failures: unknown[] = [];
  const start = (worker: Worker, task: Task<Worker>) => {
    const work = task(worker).then(
      (next) => void waiting.unshift(...next),
      (error) => void failures.push(error),
    );
    running.set(
      worker,
      work.finally(() => running.delete(worker)),
    );
  };
  for (;;) {
    for (const worker of workers)
      if (!running.has(worker) && waiting.length > 0 && failures.length === 0)
        start(worker, waiting.shift() as Task<Worker>);
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (failures.length > 0) throw failures[0];
}

/** Lends `count` of what `lend` lends one of. */
export async function withMany<Worker, T>(
  count: number,
  lend: (use: (worker: Worker) => Promise<T>) => Promise<T>,
  use: (workers: readonly Worker[]) => Promise<T>,
  held: readonly Worker[] = [],
): Promise<T> {
  if (held.length === count) return use(held);
  return lend((worker) => withMany(count, lend, use, [...held, worker]));
}

/** Seconds since `start` (of performance.now), to a hundredth. */
export function secondsSince(start: number): number {
  return Math.round((performance.now() - start) / 10) / 100;
}
