import type pg from "pg";
import { oneRow } from "../../postgres/rows.ts";
import { setRolePrivilege } from "../../postgres/server-version.ts";
import { UserError } from "../../util/errors.ts";
import { isMovedSchema } from "../moved-objects.ts";
import { unblockedTables } from "./write-block.ts";

/** What tried to write, and how the server answered. */
export interface Proof {
  /** Login roles tried, superusers and the owner included. */
  readonly roles: number;
  readonly tables: number;
  /** Statements tried; each was refused. */
  readonly refused: number;
  /** What PostgreSQL has no bar against. */
  readonly gaps: readonly string[];
}

/**
 * Tries one statement as a role, and rolls back whatever it did. 25006 is the write block's refusal (and that of a
 * read-only transaction), 42501 a missing privilege.
 */
const attempt = (role: string, statement: string, onSuccess: string) => `
  BEGIN
    PERFORM set_config('role', ${role}, true);
    EXECUTE ${statement};
    RAISE EXCEPTION USING ERRCODE = 'PG5WR';
  EXCEPTION
    WHEN SQLSTATE '25006' OR insufficient_privilege THEN refused := refused + 1;
    WHEN SQLSTATE 'PG5WR' THEN ${onSuccess};
  END;
  PERFORM set_config('role', 'none', true);`;

const tables = `
  SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name,
    (SELECT quote_ident(attname) FROM pg_attribute a
     WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' LIMIT 1) AS col
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    AND ${isMovedSchema("n.nspname")}`;

/** Every table is tried by ourselves; every login role tries each kind of write it has the right to, and DDL. */
const prove = `
DO $prove$
DECLARE r record; t record; kind text; statement text;
  refused int := 0; roles int := 0; tables int := 0; written text[] := '{}'; gaps text[] := '{}';
BEGIN
  FOR t IN ${tables} LOOP
    tables := tables + 1;
    ${attempt("'none'", "'DELETE FROM ' || t.name || ' WHERE false'", "written := written || (t.name || ' by ' || current_user)")}
  END LOOP;
  FOR r IN SELECT rolname, rolsuper FROM pg_roles WHERE rolcanlogin LOOP
    IF NOT pg_has_role(current_user, r.rolname, ${setRolePrivilege}) THEN
      gaps := gaps || ('not tried as ' || r.rolname);
      CONTINUE;
    END IF;
    roles := roles + 1;
    FOREACH kind IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] LOOP
      SELECT * INTO t FROM (${tables}) t WHERE has_table_privilege(r.rolname, oid, kind) AND col IS NOT NULL LIMIT 1;
      CONTINUE WHEN NOT FOUND;
      statement := CASE kind
        WHEN 'INSERT' THEN 'INSERT INTO ' || t.name || ' DEFAULT VALUES'
        WHEN 'UPDATE' THEN 'UPDATE ' || t.name || ' SET ' || t.col || ' = DEFAULT WHERE false'
        WHEN 'DELETE' THEN 'DELETE FROM ' || t.name || ' WHERE false'
        ELSE 'TRUNCATE ' || t.name || ' CASCADE' END;
      ${attempt("r.rolname", "statement", "written := written || (statement || ' by ' || r.rolname)")}
    END LOOP;
    ${attempt("r.rolname", "'CREATE TEMPORARY TABLE pgstack_probe ()'", "gaps := gaps || ('DDL by ' || r.rolname)")}
    ${attempt("r.rolname", "'SELECT pg_catalog.lo_create(0)'", "gaps := gaps || ('large objects by ' || r.rolname)")}
  END LOOP;
  PERFORM set_config('pgstack.proof', json_build_object(
    'roles', roles, 'tables', tables, 'refused', refused, 'written', written, 'gaps', gaps)::text, false);
END $prove$`;

async function tryToWrite(client: pg.Client): Promise<Proof & { written: string[] }> {
  await client.query("BEGIN READ WRITE");
  try {
    await client.query(prove);
    const sql = "SELECT current_setting('pgstack.proof') AS proof";
    return JSON.parse((await oneRow<{ proof: string }>(client, sql)).proof);
  } finally {
    await client.query("ROLLBACK");
  }
}

/**
 * Proves that nobody can write: in a transaction that asks for READ WRITE, as each login role. Whatever a try
 * changes is rolled back. Throws UserError that names what could be written, and by whom.
 */
export async function verifyReadOnly(client: pg.Client): Promise<Proof> {
  const unblocked = await unblockedTables(client);
  if (unblocked.length > 0) throw new UserError(`The freeze does not cover ${unblocked.join(", ")}`);
  const { written, ...proof } = await tryToWrite(client);
  if (written.length > 0) throw new UserError(`The freeze does not hold: ${written.join("; ")}`);
  return proof;
}
