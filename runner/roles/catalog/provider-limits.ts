import type pg from "pg";
import { rowsOf } from "../../postgres/rows.ts";
import { isOfExtension } from "../../postgres/sql.ts";
import { readAdmin, readRolePowers } from "./admin-powers.ts";
import { userSchemas } from "./objects.ts";

/**
 * What Pulumi's postgresql provider cannot state: USAGE on a schema, or the privileges on its tables and sequences. It
 * grants ON ALL TABLES IN SCHEMA, and needs to be a member of each owner.
 */
export interface ProviderLimit {
  readonly schema: string;
  readonly what: "schema" | "objects";
  /** The role for which this holds; null for every role. */
  readonly role: string | null;
}

interface OwnerRow {
  readonly schema: string;
  readonly owner: string;
  readonly what: ProviderLimit["what"];
  /** Whether an extension made some of the objects: they keep the privileges that its script gave. */
  readonly extension: boolean;
}

/** Owners of schemas, and of the relations in them. */
const ownersQuery = `
  SELECT nspname AS schema, pg_get_userbyid(nspowner) AS owner, 'schema' AS what, false AS extension FROM (${userSchemas}) n
  UNION ALL
  SELECT nspname, pg_get_userbyid(relowner), 'objects', bool_or(${isOfExtension("pg_class", "c.oid")})
  FROM pg_class c JOIN (${userSchemas}) n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') GROUP BY 1, 2`;

/**
 * Reads what the provider cannot state in the connected database, as the connected admin.
 * @param roles the declared roles: what they own themselves keeps its owner's privileges
 */
export async function readProviderLimits(
  client: pg.Client,
  roles: readonly string[],
): Promise<ProviderLimit[]> {
  const admin = await readAdmin(client);
  const rows = await rowsOf<OwnerRow>(client, ownersQuery);
  const powers = await readRolePowers(client, [...new Set(rows.map(({ owner }) => owner))]);
  const foreign = ({ owner }: OwnerRow) =>
    !admin.superuser && (owner === "pg_database_owner" || powers.get(owner)?.canActFor !== true);
  return rows.flatMap((row): ProviderLimit[] => {
    const { schema, what, owner, extension } = row;
    if (extension || foreign(row))
      return [
        { schema, what, role: null },
        ...(what === "schema" ? [{ schema, what: "objects", role: null } as const] : []),
      ];
    return what === "objects" && roles.includes(owner) ? [{ schema, what, role: owner }] : [];
  });
}
