import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { projectPath } from "./project.ts";

const isText = (certificate: string) => certificate.includes("-----BEGIN ");

/**
 * The path of a PEM file, for programs that take no text.
 *
 * @param certificate PEM text, which is written to a file below `.pgstack/` named after its contents; or a path, returned as it is
 */
export function keepCertificate(certificate: string): string {
  if (!isText(certificate)) return certificate;
  const digest = createHash("sha256").update(certificate).digest("hex").slice(0, 16);
  const path = `.pgstack/certificates/${digest}.pem`;
  const file = projectPath(path);
  if (existsSync(file) && readFileSync(file, "utf8") === certificate) return path;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}`, certificate);
  renameSync(`${file}.${process.pid}`, file);
  return path;
}

/** Like `keepCertificate`, for a program that may stand in another folder: a path stays relative to where it was written. */
export function certificateFile(certificate: string): string {
  return isText(certificate) ? projectPath(keepCertificate(certificate)) : certificate;
}

/**
 * The PEM text, which means the same on every machine: a path is one of this checkout. A file that is not there stays a path,
 * and so does `system`.
 *
 * @param certificate PEM text, or a path; relative ones count from the project's root
 */
export function certificateText(certificate: string): string {
  if (isText(certificate) || certificate === "system") return certificate;
  const file = projectPath(certificate);
  return existsSync(file) ? readFileSync(file, "utf8") : certificate;
}
