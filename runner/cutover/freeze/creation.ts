import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { identifier } from "../../postgres/sql.ts";
import { isMovedSchema } from "../moved-objects.ts";
import type { CreationRight } from "../state/state.ts";

const list = (
  object: string,
  catalog: string,
  kind: string,
  owner: string,
  acl: string,
  condition: string,
) => `
  SELECT ${object} AS object, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END AS grantee,
    pg_get_userbyid(a.grantor) AS grantor, a.grantor = x.${owner} AS "byOwner", a.is_grantable AS grantable
  FROM ${catalog} x CROSS JOIN LATERAL aclexplode(coalesce(x.${acl}, acldefault('${kind}', x.${owner}))) a
  WHERE a.privilege_type = 'CREATE' AND ${condition}`;

/** Who may create what, the owners of schemas and database among them. */
async function listCreationRights(client: pg.Client): Promise<CreationRight[]> {
  const schemas = list(
    "format('SCHEMA %I', nspname)",
    "pg_namespace",
    "n",
    "nspowner",
    "nspacl",
    isMovedSchema("nspname"),
  );
  const here = "datname = current_database()";
  const database = list("format('DATABASE %I', datname)", "pg_database", "d", "datdba", "datacl", here);
  return rowsOf<CreationRight>(client, `${schemas} UNION ALL ${database} ORDER BY 4 DESC, 1, 2 NULLS FIRST`);
}

const granteeOf = ({ grantee }: CreationRight) => (grantee === null ? "PUBLIC" : identifier(grantee));
const key = ({ object, grantee, grantor }: CreationRight) => JSON.stringify([object, grantee, grantor]);

/** Runs a statement, and continues where the user may not. */
async function tryStatement(client: pg.Client, statement: string): Promise<boolean> {
  await client.query("SAVEPOINT creation");
  try {
    await client.query(statement);
    return true;
  } catch {
    await client.query("ROLLBACK TO SAVEPOINT creation");
    return false;
  }
}

/** Takes CREATE from everybody, as far as the user may, in the caller's transaction; gives what was taken. */
export async function revokeCreation(client: pg.Client): Promise<CreationRight[]> {
  const before = await listCreationRights(client);
  for (const right of before)
    await tryStatement(client, `REVOKE CREATE ON ${right.object} FROM ${granteeOf(right)} CASCADE`);
  const left = new Set((await listCreationRights(client)).map(key));
  return before.filter((right) => !left.has(key(right)));
}

/** Gives back what `revokeCreation` took, each by the role that had granted it, in the caller's transaction. */
export async function restoreCreation(client: pg.Client, rights: readonly CreationRight[]): Promise<void> {
  for (const right of rights) {
    const option = right.grantable ? " WITH GRANT OPTION" : "";
    const grant = `GRANT CREATE ON ${right.object} TO ${granteeOf(right)}${option}`;
    const asGrantor = `SET LOCAL ROLE ${identifier(right.grantor)}; ${grant}; SET LOCAL ROLE NONE`;
    if (!right.byOwner && (await tryStatement(client, asGrantor))) continue;
    await client.query(grant);
  }
}
