import type pg from "pg";
import type { RightsDeclaration } from "../../config/role-declaration.ts";
import { withCatalogLock } from "../../postgres/catalog-lock.ts";
import { UserError } from "../../util/errors.ts";
import { withPrivilegesOf } from "../catalog/membership.ts";
import { readSnapshot, type Snapshot } from "../catalog/snapshot.ts";
import { describeImpossible, planRights, type RightsPlan } from "./stack.ts";
import { revokes, type Statement, sqlOf } from "./statement.ts";

function checkRoles({ roles: found }: Snapshot, { roles }: RightsDeclaration): void {
  const absent = roles.filter(({ role }) => !found.has(role)).map(({ role }) => `"${role}"`);
  if (absent.length > 0)
    throw new UserError(
      `Expected the roles to be there before their grants; not found: ${absent.join(", ")}`,
    );
}

/** What still differs after all statements ran: what was to be revoked is a warning, anything else ends the transaction. */
function checkLeft(left: readonly Statement[]): string[] {
  const missing = left.filter((one) => !revokes(one));
  if (missing.length > 0)
    throw new UserError(`These statements ran and changed nothing:\n  ${missing.map(sqlOf).join("\n  ")}`);
  return left.map(
    (one) =>
      `${sqlOf(one)} changed nothing: another role than the owner granted that, and only that role can revoke it.`,
  );
}

/**
 * Brings rights in line with what is declared, then plans again to check it: one transaction, seen by others as a
 * whole. Throws UserError with what is still missing.
 * @param warn takes what should be revoked and cannot be, a line each
 * @returns the statements that ran
 */
export async function applyRights(
  client: pg.Client,
  declaration: RightsDeclaration,
  warn: (line: string) => void = () => {},
): Promise<string[]> {
  const plan = async (): Promise<RightsPlan & { admin: string }> => {
    const snapshot = await readSnapshot(client, declaration);
    checkRoles(snapshot, declaration);
    return { ...planRights(snapshot, declaration), admin: snapshot.admin.name };
  };
  const { statements, warnings } = await withCatalogLock(client, async () => {
    const { statements, impossible, admin } = await plan();
    const beyond = impossible.map((one) => describeImpossible(one, admin));
    if (statements.length === 0) return { statements, warnings: beyond };
    const needs = statements.flatMap(({ needs }) => needs ?? []);
    await withPrivilegesOf(client, needs, async () => {
      for (const statement of statements) await client.query(sqlOf(statement));
    });
    return { statements, warnings: [...beyond, ...checkLeft((await plan()).statements)] };
  });
  for (const warning of warnings) warn(warning);
  return statements.map(sqlOf);
}
