import type pg from "pg";
import type { RightsDeclaration } from "../../config/role-declaration.ts";
import { withCatalogLock } from "../../postgres/catalog-lock.ts";
import { UserError } from "../../util/errors.ts";
import { withPrivilegesOf } from "../catalog/membership.ts";
import { readSnapshot, type Snapshot } from "../catalog/snapshot.ts";
import { planRights } from "./stack.ts";
import { type Statement, sqlOf } from "./statement.ts";

function checkRoles({ startsReadOnly }: Snapshot, { roles }: RightsDeclaration): void {
  const absent = roles.filter(({ role }) => !startsReadOnly.has(role)).map(({ role }) => `"${role}"`);
  if (absent.length > 0)
    throw new UserError(
      `Expected the roles to be there before their grants; not found: ${absent.join(", ")}`,
    );
}

/**
 * Brings rights in line with what is declared, then plans again to prove it: one transaction, seen by others as a
 * whole. Throws UserError with what is still missing.
 * @returns the statements that ran
 */
export async function applyRights(client: pg.Client, declaration: RightsDeclaration): Promise<string[]> {
  const plan = async (): Promise<Statement[]> => {
    const snapshot = await readSnapshot(client, declaration);
    checkRoles(snapshot, declaration);
    return planRights(snapshot, declaration);
  };
  return withCatalogLock(client, async () => {
    const statements = await plan();
    if (statements.length === 0) return [];
    const needs = statements.flatMap(({ needs }) => needs ?? []);
    await withPrivilegesOf(client, needs, async () => {
      for (const statement of statements) await client.query(sqlOf(statement));
    });
    const left = await plan();
    if (left.length > 0)
      throw new UserError(
        `These statements ran and changed nothing (rights that another role than the owner granted stay until that role ` +
          `revokes them):\n  ${left.map(sqlOf).join("\n  ")}`,
      );
    return statements.map(sqlOf);
  });
}
