import type pg from "pg";
import { withCatalogLock } from "../../postgres/catalog-lock.ts";
import { maybeRow, rowsOf } from "../../postgres/rows.ts";
import { identifier } from "../../postgres/sql.ts";
import { UserError } from "../../util/errors.ts";
import { withPrivilegesOf } from "../catalog/membership.ts";
import { readDefaults, readObjects } from "../catalog/objects.ts";
import { nothing } from "./desired.ts";
import { planGrants } from "./plan.ts";
import { type Statement, sqlOf } from "./statement.ts";

/** What keeps a role alive in another database than this. */
async function heldElsewhere(client: pg.Client, oid: number): Promise<string[]> {
  const rows = await rowsOf<{ database: string; how: string; count: number }>(
    client,
    `SELECT d.datname AS database, CASE s.deptype WHEN 'o' THEN 'owns' ELSE 'has rights on' END AS how,
       count(*)::int AS count
     FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
     WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = $1 AND s.deptype IN ('o', 'a', 'r', 'i')
       AND d.datname <> current_database()
     GROUP BY 1, 2 ORDER BY 1, 2`,
    [oid],
  );
  const owned = await rowsOf<{ name: string }>(
    client,
    "SELECT datname AS name FROM pg_database WHERE datdba = $1 ORDER BY 1",
    [oid],
  );
  return [
    ...owned.map(({ name }) => `owns database "${name}"`),
    ...rows.map(
      ({ database, how, count }) =>
        `${how} ${count} object${count === 1 ? "" : "s"} in database "${database}"`,
    ),
  ];
}

/** What another database holds of a role, as the sentence that refuses to drop the role; undefined where it may be dropped. */
async function describeHeld(client: pg.Client, role: string, oid: number): Promise<string | undefined> {
  const elsewhere = await heldElsewhere(client, oid);
  if (elsewhere.length === 0) return undefined;
  return (
    `Role "${role}" cannot be dropped: it ${elsewhere.join(", ")}. Expected it to be this database's alone. ` +
    `In each database named run: REASSIGN OWNED BY ${identifier(role)} TO …; DROP OWNED BY ${identifier(role)}; then repeat.`
  );
}

/** For an admin who is no superuser, DROP OWNED passes over what the role was granted by others than itself. */
async function planRevocations(client: pg.Client, role: string): Promise<Statement[]> {
  const objects = (await readObjects(client, { allColumns: false })).filter(({ owner }) => owner !== role);
  const defaults = (await readDefaults(client)).filter(({ creator }) => creator !== role);
  return planGrants(objects, defaults, { on: () => nothing, defaults: [] }, role);
}

/** Revokes all that a role has here, and continues with the privileges of these roles. */
async function revokeAll(
  client: pg.Client,
  role: string,
  as: readonly string[] = [],
  goOn: () => Promise<void> = async () => {},
): Promise<void> {
  const revocations = await planRevocations(client, role);
  const needs = revocations.flatMap(({ needs }) => needs ?? []);
  await withPrivilegesOf(client, [...as, ...needs], async () => {
    for (const revocation of revocations) await client.query(sqlOf(revocation));
    await goOn();
  });
}

function oidOf(client: pg.Client, role: string): Promise<{ oid: number } | undefined> {
  return maybeRow<{ oid: number }>(client, "SELECT oid FROM pg_roles WHERE rolname = $1", [role]);
}

/**
 * Revokes the privileges and default privileges that a role has in this database, CONNECT among them. The role lives on: in
 * other databases nothing changes, and what it owns stays.
 * @returns false where the role is gone already
 */
export async function revokeRole(client: pg.Client, role: string): Promise<boolean> {
  return withCatalogLock(client, async () => {
    if ((await oidOf(client, role)) === undefined) return false;
    await revokeAll(client, role);
    return true;
  });
}

/** Which of these roles `prepareRoleDrop` would refuse, in its words. */
export async function findUndroppable(client: pg.Client, roles: readonly string[]): Promise<string[]> {
  const refusals: string[] = [];
  for (const role of roles) {
    const found = await oidOf(client, role);
    const held = found && (await describeHeld(client, role, found.oid));
    if (held !== undefined) refusals.push(held);
  }
  return refusals;
}

/**
 * Prepares DROP ROLE: what the role owns in this database goes to `owner`, its privileges and default privileges here
 * are revoked. Throws UserError where another database holds it, before anything is changed.
 * @returns false where the role is gone already
 */
export async function prepareRoleDrop(client: pg.Client, role: string, owner: string): Promise<boolean> {
  return withCatalogLock(client, async () => {
    const found = await oidOf(client, role);
    if (found === undefined) return false;
    const held = await describeHeld(client, role, found.oid);
    if (held !== undefined) throw new UserError(held);
    await revokeAll(client, role, [role, owner], async () => {
      await client.query(`REASSIGN OWNED BY ${identifier(role)} TO ${identifier(owner)}`);
      await client.query(`DROP OWNED BY ${identifier(role)}`);
    });
    return true;
  });
}
