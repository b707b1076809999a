import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { projectPath } from "./project.ts";

/** Variables of an environment. */
export type PlainVariables = Readonly<Record<string, string>>;

const algorithm = "aes-256-gcm";
const ivBytes = 12;
const tagBytes = 16;

/** Where the ways to the server of one stack are kept, relative to the project's root. */
export function keptDirectory(stack: string): string {
  return `.pgstack/connections/${stack}`;
}

/** The file for variables of that name. The name may hold anything, a file's may not. */
export function keptPath(stack: string, name: string): string {
  return `${keptDirectory(stack)}/${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
}

/** A new key, as base64. */
export function newKey(): string {
  return randomBytes(32).toString("base64");
}

/** Writes the variables to the file at `path`, locked by `key`: whole or not at all. */
export function keepVariables(path: string, key: string, variables: PlainVariables): void {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(algorithm, Buffer.from(key, "base64"), iv);
  const text = Buffer.concat([cipher.update(JSON.stringify(variables), "utf8"), cipher.final()]);
  const file = projectPath(path);
  const temporary = `${file}.${process.pid}`;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(temporary, Buffer.concat([iv, cipher.getAuthTag(), text]), { mode: 0o600 });
  renameSync(temporary, file);
}

/** The variables that were kept at `path`, or undefined where there are none that `key` unlocks: another checkout has none. */
export function keptVariables(path: string, key: string): PlainVariables | undefined {
  try {
    const bytes = readFileSync(projectPath(path));
    const decipher = createDecipheriv(algorithm, Buffer.from(key, "base64"), bytes.subarray(0, ivBytes));
    decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
    const text = Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]);
    return JSON.parse(text.toString("utf8")) as PlainVariables;
  } catch {
    return undefined;
  }
}

/** Removes all that is kept of a stack. */
export function forgetVariables(stack: string): void {
  rmSync(projectPath(keptDirectory(stack)), { recursive: true, force: true });
}

/**
 * The environment of a command that a resource runs, with the way to the server as the running, or else the last, update
 * knows it in place of the one that the resource was made with: a state keeps that for ever.
 */
export function withKeptVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PGSTACK_CONNECTION: path, PGSTACK_CONNECTION_KEY: key, ...others } = env;
  if (path === undefined || key === undefined) return env;
  const kept = keptVariables(path, key);
  if (kept === undefined) return env;
  const own = Object.entries(others).filter(
    ([name]) => !/^PG[A-Z]+$/.test(name) || name.startsWith("PGSTACK"),
  );
  return { ...Object.fromEntries(own), ...kept, PGSTACK_CONNECTION_KEY: key };
}
