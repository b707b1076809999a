import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { identifier, isNotSystemSchema } from "../../postgres/sql.ts";

/** One right of one role on one object; `privilege` is null for an object on which no other role has any. */
export interface Right {
  /** As GRANT says it: DATABASE, SCHEMA, TABLE, SEQUENCE, ROUTINE, TYPE, FOREIGN SERVER. */
  readonly kind: string;
  /** The object's quoted name, with the signature of a routine; empty for the database itself. */
  readonly object: string;
  /** Quoted name of a column, for rights on a column. */
  readonly column: string | null;
  /** Quoted role, or PUBLIC. */
  readonly grantee: string | null;
  readonly privilege: string | null;
  readonly grantable: boolean;
}

const ownSchemas = isNotSystemSchema("n.nspname");

/** Every grantable object with its rights, the defaults of PostgreSQL included, the owner's own left out. */
const rightsQuery = `
  WITH objects (kind, object, "column", owner, acl) AS (
    SELECT 'DATABASE', '', NULL, datdba, coalesce(datacl, acldefault('d', datdba))
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'SCHEMA', format('%I', nspname), NULL, nspowner, coalesce(nspacl, acldefault('n', nspowner))
    FROM pg_namespace n WHERE ${ownSchemas}
    UNION ALL
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, format('%I.%I', nspname, relname), NULL, relowner,
      coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${ownSchemas}
    UNION ALL
    SELECT 'TABLE', format('%I.%I', nspname, relname), format('%I', attname), relowner, attacl
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE attacl IS NOT NULL AND NOT attisdropped AND ${ownSchemas}
    UNION ALL
    SELECT 'ROUTINE', format('%I.%I(%s)', nspname, proname, oidvectortypes(proargtypes)), NULL, proowner,
      coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE ${ownSchemas}
    UNION ALL
    SELECT 'TYPE', format('%I.%I', nspname, typname), NULL, typowner, typacl
    FROM pg_type JOIN pg_namespace n ON n.oid = typnamespace
    WHERE typacl IS NOT NULL AND typelem = 0 AND ${ownSchemas}
    UNION ALL
    SELECT 'FOREIGN SERVER', format('%I', srvname), NULL, srvowner, coalesce(srvacl, acldefault('S', srvowner))
    FROM pg_foreign_server)
  SELECT kind, object, "column",
    CASE WHEN grantee = 0 THEN 'PUBLIC' WHEN grantee IS NOT NULL THEN quote_ident(pg_get_userbyid(grantee)) END AS grantee,
    privilege_type AS privilege, coalesce(is_grantable, false) AS grantable
  FROM objects LEFT JOIN LATERAL aclexplode(acl) ON grantee <> owner`;

/** Reads who may do what in the client's database. */
export async function readRights(client: pg.Client): Promise<Right[]> {
  await client.query("SELECT set_config('search_path', '', false)"); // so that types are written in full
  const rows = await rowsOf<Right>(client, rightsQuery);
  await client.query("RESET search_path");
  return rows;
}

const objectKey = ({ kind, object }: Right) => `${kind} ${object}`;
const rightKey = (right: Right) => JSON.stringify(Object.values(right));

function statement(right: Right, command: "GRANT" | "REVOKE", database: string): string {
  const column = right.column === null ? "" : ` (${right.column})`;
  const object = right.kind === "DATABASE" ? identifier(database) : right.object;
  const direction = command === "GRANT" ? "TO" : "FROM";
  const option = command === "GRANT" && right.grantable ? " WITH GRANT OPTION" : "";
  return `${command} ${right.privilege}${column} ON ${right.kind} ${object} ${direction} ${right.grantee}${option}`;
}

/**
 * The statements that give every object of `present` the rights that it has in `wanted`; an object that `wanted`
 * does not know keeps what it has (the default privileges have spoken). Pure.
 */
export function rightsDifference(
  wanted: Right[],
  present: Right[],
  owner: string,
  database: string,
): string[] {
  const relevant = (rights: Right[], others: Right[]) => {
    const shared = new Set(others.map(objectKey));
    return rights.filter(
      (right) => right.privilege !== null && right.grantee !== owner && shared.has(objectKey(right)),
    );
  };
  const want = relevant(wanted, present);
  const have = relevant(present, wanted);
  const wantKeys = new Set(want.map(rightKey));
  const haveKeys = new Set(have.map(rightKey));
  return [
    ...have
      .filter((right) => !wantKeys.has(rightKey(right)))
      .map((right) => statement(right, "REVOKE", database)),
    ...want
      .filter((right) => !haveKeys.has(rightKey(right)))
      .map((right) => statement(right, "GRANT", database)),
  ];
}

/** One default privilege: what is granted or revoked on objects that a role makes later. */
interface DefaultRight {
  readonly role: string;
  readonly schema: string | null;
  readonly objects: string;
  readonly grantee: string;
  readonly privilege: string;
  readonly grantable: boolean;
  readonly granted: boolean;
}

/** Defaults of a schema add to the global ones; global ones replace PostgreSQL's, so what those lack is revoked. */
const defaultsQuery = `
  WITH entries AS (
    SELECT defaclrole, defaclnamespace, defaclobjtype, defaclacl AS acl, CASE WHEN defaclnamespace = 0
        THEN acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole) ELSE NULL
      END AS base
    FROM pg_default_acl),
  changes AS (
    SELECT entries.*, item.*, true AS granted FROM entries, aclexplode(acl) item
    WHERE NOT EXISTS (SELECT FROM aclexplode(base) b WHERE (b.*) = (item.*))
    UNION ALL
    SELECT entries.*, item.*, false FROM entries, aclexplode(base) item
    WHERE NOT EXISTS (SELECT FROM aclexplode(acl) a WHERE (a.*) = (item.*)))
  SELECT pg_get_userbyid(defaclrole) AS role, quote_ident(nspname) AS schema,
    CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
      WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS objects,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee,
    privilege_type AS privilege, is_grantable AS grantable, granted
  FROM changes LEFT JOIN pg_namespace n ON n.oid = defaclnamespace
  ORDER BY granted`;

/** A statement that makes a default privilege again, and the role that it is for. */
export interface DefaultPrivilege {
  readonly role: string;
  readonly statement: string;
}

/** The default privileges of the client's database, to be stated elsewhere. */
export async function readDefaultPrivileges(client: pg.Client): Promise<DefaultPrivilege[]> {
  const rows = await rowsOf<DefaultRight>(client, defaultsQuery);
  return rows.map((row) => {
    const place = row.schema === null ? "" : ` IN SCHEMA ${row.schema}`;
    const option = row.granted && row.grantable ? " WITH GRANT OPTION" : "";
    const change = row.granted ? ["GRANT", "TO"] : ["REVOKE", "FROM"];
    const what = `${change[0]} ${row.privilege} ON ${row.objects} ${change[1]} ${row.grantee}${option}`;
    return {
      role: row.role,
      statement: `ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(row.role)}${place} ${what}`,
    };
  });
}
