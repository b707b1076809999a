import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { chmod, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** Size and SHA-256 of a dump. */
export interface Checksum {
  readonly bytes: number;
  /** Of the file; of a directory: of the lines `sha256␠␠name\n` of its files in name order. */
  readonly sha256: string;
}

const pieceBytes = 1 << 20;

/** Looks at the pieces of a file as they are read, without keeping them. */
export type Look = (piece: Buffer) => void;

/** One piece is read while the one before is hashed, into the same two buffers again and again. */
async function fileChecksum(path: string, look: Look): Promise<Checksum> {
  const hash = createHash("sha256");
  let [filling, full] = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)];
  let bytes = 0;
  await using file = await open(path);
  for (let next = file.read(filling, 0, pieceBytes); ; ) {
    const { bytesRead } = await next;
    if (bytesRead === 0) return { bytes, sha256: hash.digest("hex") };
    [filling, full] = [full, filling];
    next = file.read(filling, 0, pieceBytes);
    const piece = full.subarray(0, bytesRead);
    hash.update(piece);
    look(piece);
    bytes += bytesRead;
  }
}

/**
 * Reads every byte of a dump, file or directory.
 * @param lookAt called with the name of each file of a directory; what it gives sees the file's pieces
 */
export async function checksumOf(
  path: string,
  lookAt: (name: string) => Look = () => () => {},
): Promise<Checksum> {
  if (!(await stat(path)).isDirectory()) return fileChecksum(path, lookAt(basename(path)));
  const hash = createHash("sha256");
  let bytes = 0;
  for (const name of (await readdir(path)).sort()) {
    const file = await fileChecksum(join(path, name), lookAt(name));
    hash.update(`${file.sha256}  ${name}\n`);
    bytes += file.bytes;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** False too where nothing is. */
export async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** True for a directory with a table of contents and for a file with the archive's magic bytes. */
export function looksLikeDump(path: string): boolean {
  if (statSync(path).isDirectory()) return existsSync(join(path, "toc.dat"));
  const start = Buffer.alloc(5);
  const file = openSync(path, "r");
  try {
    readSync(file, start, 0, 5, 0);
  } finally {
    closeSync(file);
  }
  return start.toString("latin1") === "PGDMP";
}

/** Changes when another dump takes the place of the one at `path`; empty where none is. */
export async function identityOf(path: string): Promise<string> {
  const states = await Promise.all(
    [path, join(path, "toc.dat")].map((one) => stat(one).catch(() => undefined)),
  );
  return states
    .map((state) => state && [state.dev, state.ino, state.size, state.mtimeMs].join(":"))
    .join(" ");
}

/** Bytes written so far; 0 where nothing is there yet. */
export async function bytesAt(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.size;
  const names = await readdir(path).catch(() => []);
  const sizes = names.map((name) =>
    stat(join(path, name)).then(
      (file) => file.size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function syncPath(path: string): Promise<void> {
  await using handle = await open(path);
  await handle.sync();
}

async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  return (await readdir(path)).map((name) => join(path, name));
}

const syncEveryMs = 500;

/**
 * Syncs what is written so far, again and again until it is disposed, while the disk has little else to do: the last
 * sync is short then. What fails here fails there as well.
 */
export function syncWhileWriting(path: string): AsyncDisposable {
  const stop = new AbortController();
  const rest = () => setTimeout(syncEveryMs, true, { signal: stop.signal, ref: false }).catch(() => false);
  const work = async () => {
    while (await rest())
      for (const file of await filesOf(path).catch(() => [])) await syncPath(file).catch(() => {});
  };
  const working = work();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await working;
    },
  };
}

/** Makes a dump readable by its owner alone, and lasting: every file and folder is synced to the disk. */
export async function seal(path: string): Promise<void> {
  for (const file of await filesOf(path)) {
    await chmod(file, 0o600);
    await syncPath(file);
  }
  if ((await stat(path)).isDirectory()) {
    await chmod(path, 0o700);
    await syncPath(path);
  }
}

/** Makes a rename in a folder lasting. */
export async function syncFolderOf(path: string): Promise<void> {
  await syncPath(dirname(path));
}
