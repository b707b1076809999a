import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import type { Probe } from "./probes.ts";

/**
 * One function of each extension in the schemas that the session may use: one that it may run, where there is any. Left out are
 * functions that the extension's own script restricts, and those with an argument or result of which SQL can write no value.
 */
const callsQuery = `
  SELECT DISTINCT ON (x.extname) x.extname AS extension, format('EXPLAIN SELECT %I.%I(%s) FROM (SELECT 1%s OFFSET 0) AS one',
    n.nspname, p.proname, arguments.names, arguments.nulls) AS sql
  FROM pg_extension x
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid
      AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
    JOIN pg_proc p ON p.oid = d.objid
    JOIN pg_namespace n ON n.oid = p.pronamespace
    CROSS JOIN LATERAL (SELECT string_agg('a' || at, ', ' ORDER BY at) AS names,
        string_agg(format(', NULL::%s AS a%s', format_type(type, NULL), at), '' ORDER BY at) AS nulls
      FROM unnest(p.proargtypes) WITH ORDINALITY AS u (type, at)) AS arguments
  WHERE p.prokind = 'f' AND p.provariadic = 0 AND has_schema_privilege(n.oid, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_init_privs i WHERE i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid)
    AND NOT EXISTS (SELECT FROM pg_type t
      WHERE t.typtype = 'p' AND (t.oid = p.prorettype OR t.oid = ANY (p.proargtypes::oid[])))
  ORDER BY x.extname, has_function_privilege(p.oid, 'EXECUTE') DESC, p.oid`;

/**
 * Calls of extensions' functions, which every role may run unless somebody took that from PUBLIC. EXPLAIN checks the right as a call
 * does, and runs no function: the arguments come from a subquery, so that the planner computes nothing ahead.
 * @param client acts as the role
 */
export async function readExtensionCalls(client: pg.Client): Promise<Probe[]> {
  const rows = await rowsOf<{ extension: string; sql: string }>(client, callsQuery);
  return rows.map(({ extension, sql }) => ({
    what: `run any function of extension ${extension}`,
    sql,
    allowed: true,
    aboutRights: true,
  }));
}
