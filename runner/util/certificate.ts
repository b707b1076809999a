import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { projectPath } from "./project.ts";

/**
 * The path of a PEM file, for programs that take no text.
 *
 * @param certificate PEM text, which is written to a file below `.pgstack/` named after its contents; or a path, returned as it is
 */
export function keepCertificate(certificate: string): string {
  if (!certificate.includes("-----BEGIN ")) return certificate;
  const digest = createHash("sha256").update(certificate).digest("hex").slice(0, 16);
  const path = `.pgstack/certificates/${digest}.pem`;
  const file = projectPath(path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}`, certificate);
  renameSync(`${file}.${process.pid}`, file);
  return path;
}
