import type pg from "pg";
import { concernsTable, parseExclusion } from "../../config/exclusion.ts";
import type { RoleDeclaration } from "../../config/role-declaration.ts";
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

interface PartitionRow {
  readonly schema: string;
  /** A partitioned table or parent in another schema. */
  readonly parentSchema: string;
  readonly parent: string;
}

/** Tables below a table of another schema, which an exclusion of that one concerns too. */
const partitionsQuery = `
  WITH RECURSIVE up AS (SELECT i.inhrelid AS relation, i.inhparent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f')
    UNION SELECT up.relation, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.inhparent)
  SELECT DISTINCT n.nspname AS schema, pn.nspname AS "parentSchema", p.relname AS parent
  FROM up JOIN pg_class c ON c.oid = up.relation JOIN (${userSchemas}) n ON n.oid = c.relnamespace
  JOIN pg_class p ON p.oid = up.inhparent JOIN (${userSchemas}) pn ON pn.oid = p.relnamespace WHERE n.oid <> pn.oid`;

function limitsByPartitions(
  partitions: readonly PartitionRow[],
  existing: readonly string[],
  { role, schemas, exclude }: RoleDeclaration,
): ProviderLimit[] {
  const exclusions = exclude.map((text) => parseExclusion(text, [...schemas, ...existing]));
  const excluded = partitions.filter(({ parentSchema, parent }) =>
    exclusions.some((one) => concernsTable(one, parentSchema, parent)),
  );
  return [...new Set(excluded.map(({ schema }) => schema))].map((schema) => ({
    schema,
    what: "objects",
    role,
  }));
}

/**
 * Reads what the provider cannot state in the connected database, as the connected admin.
 * @param roles the declared roles: what they own themselves keeps its owner's privileges, and what they exclude may have
 *   partitions in other schemas
 */
export async function readProviderLimits(
  client: pg.Client,
  roles: readonly RoleDeclaration[],
): Promise<ProviderLimit[]> {
  const admin = await readAdmin(client);
  const rows = await rowsOf<OwnerRow>(client, ownersQuery);
  const powers = await readRolePowers(client, [...new Set(rows.map(({ owner }) => owner))]);
  const foreign = ({ owner }: OwnerRow) =>
    !admin.superuser && (owner === "pg_database_owner" || powers.get(owner)?.canActFor !== true);
  const ofOwners = rows.flatMap((row): ProviderLimit[] => {
    const { schema, what, owner, extension } = row;
    if (extension || foreign(row))
      return [
        { schema, what, role: null },
        ...(what === "schema" ? [{ schema, what: "objects", role: null } as const] : []),
      ];
    return what === "objects" && roles.some(({ role }) => role === owner)
      ? [{ schema, what, role: owner }]
      : [];
  });
  if (roles.every(({ exclude }) => exclude.length === 0)) return ofOwners;
  const existing = rows.map(({ schema }) => schema);
  const partitions = await rowsOf<PartitionRow>(client, partitionsQuery);
  return [...ofOwners, ...roles.flatMap((role) => limitsByPartitions(partitions, existing, role))];
}
