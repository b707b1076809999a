import type pg from "pg";
import { type ConnectionSettings, withClient, withTransaction } from "../../postgres/connection.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { identifier } from "../../postgres/sql.ts";

/** A role's membership in another. */
export interface Membership {
  readonly role: string;
  readonly group: string;
  /** WITH ADMIN OPTION: it may choose the group's members. */
  readonly administers: boolean;
}

/** What roles are members of, whoever made them so. */
export async function readMemberships(client: pg.Client, roles: readonly string[]): Promise<Membership[]> {
  if (roles.length === 0) return [];
  return rowsOf<Membership>(
    client,
    `SELECT m.rolname AS role, g.rolname AS "group", bool_or(admin_option) AS administers
     FROM pg_auth_members JOIN pg_roles m ON m.oid = member JOIN pg_roles g ON g.oid = roleid
     WHERE m.rolname = ANY ($1) GROUP BY 1, 2 ORDER BY 1, 2`,
    [roles],
  );
}

/** Of the named roles, those that exist. */
async function existing(client: pg.Client, names: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await rowsOf<{ name: string }>(
    client,
    "SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1)",
    [names],
  );
  return new Set(rows.map(({ name }) => name));
}

function lost(before: readonly Membership[], now: readonly Membership[]): Membership[] {
  return before.filter(
    ({ role, group, administers }) =>
      !now.some((one) => one.role === role && one.group === group && (one.administers || !administers)),
  );
}

/**
 * Gives back the memberships that roles have lost, and the option to choose the members. Pulumi's postgresql provider
 * revokes all memberships of a role whenever it changes the role, and grants those that it knows of, without that option.
 * @returns the statements that ran
 */
export async function restoreMemberships(
  admin: ConnectionSettings,
  before: readonly Membership[],
): Promise<string[]> {
  return withClient(admin, (client) =>
    withTransaction(client, async () => {
      const roles = await existing(
        client,
        before.flatMap(({ role, group }) => [role, group]),
      );
      const now = await readMemberships(client, [...roles]);
      const statements = lost(before, now)
        .filter(({ role, group }) => roles.has(role) && roles.has(group))
        .map(
          ({ role, group, administers }) =>
            `GRANT ${identifier(group)} TO ${identifier(role)}${administers ? " WITH ADMIN OPTION" : ""}`,
        );
      for (const sql of statements) await client.query(sql);
      return statements;
    }),
  );
}
