import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

/** What PostgreSQL itself uses: https://www.postgresql.org/docs/current/runtime-config-connection.html (scram_iterations). */
const iterations = 4096;

/** SASLprep (RFC 4013) as PostgreSQL and its drivers apply it, so that e.g. a full-width letter logs in as itself. */
function prepare(password: string): string {
  return password
    .replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu, " ")
    .replace(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/gu, "")
    .normalize("NFKC");
}

/** https://www.rfc-editor.org/rfc/rfc5803, in PostgreSQL's spelling. */
export function verifierWith(password: string, salt: Buffer): string {
  const salted = pbkdf2Sync(prepare(password), salt, iterations, 32, "sha256");
  const key = (name: string) => createHmac("sha256", salted).update(name).digest();
  const stored = createHash("sha256").update(key("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${key("Server Key").toString("base64")}`;
}

/**
 * The form in which PostgreSQL stores a password. The server takes it in place of the password, so that no statement,
 * and thus no server log, ever holds the password in clear.
 * @param identity what the salt is made from: unique to the role; the same identity and password give the same verifier,
 *   so that a preview shows no change where there is none (a salt need not be secret)
 */
export function scramVerifier(password: string, identity: string): string {
  return verifierWith(password, createHash("sha256").update(identity).digest().subarray(0, 16));
}
