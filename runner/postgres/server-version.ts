import type pg from "pg";
import { RefusedError } from "../util/errors.ts";
import { oneRow } from "./rows.ts";

/** The oldest PostgreSQL that pgstack works with. */
export const oldestMajor = 14;

/** A server's version. */
export interface ServerVersion {
  /** As `server_version_num`: 160004 is 16.4. */
  readonly number: number;
  /** 16 for 16.4. */
  readonly major: number;
  /** As `server_version` shows it, such as "16.4 (Debian 16.4-1)". */
  readonly text: string;
}

/** The server's major version, as an SQL expression of type int. */
const majorInSql = "(pg_catalog.current_setting('server_version_num')::int / 10000)";

/**
 * True since PostgreSQL 16, as an SQL condition: there a role with CREATEROLE rules over the roles that it administers alone, and
 * to be a member of a role, to inherit from it and to SET ROLE to it are three rights:
 * https://www.postgresql.org/docs/16/release-16.html
 */
export const hasStrictRoles = `${majorInSql} >= 16`;

/** The privilege of pg_has_role that says whether a user may SET ROLE to a role, as an SQL expression. */
export const setRolePrivilege = `CASE WHEN ${hasStrictRoles} THEN 'SET' ELSE 'MEMBER' END`;

/** The options of GRANT by which a member inherits from a role and may SET ROLE to it, whatever its own INHERIT says. */
export const membershipOptions = (major: number) => (major >= 16 ? " WITH INHERIT TRUE, SET TRUE" : "");

/** Reads the version of the server that a session is connected to. */
export async function readServerVersion(client: pg.ClientBase): Promise<ServerVersion> {
  const { number, text } = await oneRow<{ number: number; text: string }>(
    client,
    `SELECT pg_catalog.current_setting('server_version_num')::int AS number,
            pg_catalog.current_setting('server_version') AS text`,
  );
  return { number, major: Math.trunc(number / 10_000), text };
}

/** A server's version by its `server_version`; undefined for what is no PostgreSQL server (PgBouncer's console). */
export function serverVersionOf(text: string): ServerVersion | undefined {
  const [, major, minor = "0"] = text.match(/^(\d+)(?:\.(\d+))?/) ?? [];
  if (major === undefined || /bouncer/i.test(text)) return undefined;
  return { number: Number(major) * 10_000 + Number(minor), major: Number(major), text };
}

/** Throws RefusedError where a server is older than `oldestMajor`. */
export function refuseOldServer({ major, text }: ServerVersion, server: string): void {
  if (major < oldestMajor)
    throw new RefusedError(
      `${server} runs PostgreSQL ${text}: expected ${oldestMajor} or newer. Upgrade the server first.`,
    );
}
