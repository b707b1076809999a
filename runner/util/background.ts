/** Work that continues while something else is done. What it fails of counts where it is awaited, not before. */
export function meanwhile<T>(work: T | Promise<T>): Promise<T> {
  const running = Promise.resolve(work);
  running.catch(() => {});
  return running;
}
