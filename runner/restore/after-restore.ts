import {
  connectionOfStack,
  resolveAdminTarget,
  resolveTarget,
  stackFacts,
  type Target,
} from "../cli/target.ts";
import type { MigrationSettings } from "../config/migrations.ts";
import { filesOf, settingsOf } from "../migrations/cli-options.ts";
import type { MigrationFile } from "../migrations/files/types.ts";
import { historyTable, keepTokenSql, readHistory } from "../migrations/history/history.ts";
import { keptFiles } from "../migrations/plan/target-revision.ts";
import { applyMigrations } from "../migrations/run/apply.ts";
import { type ConnectionSettings, withClient } from "../postgres/connection.ts";
import { applyRights } from "../roles/plan/apply.ts";
import { verifyRole } from "../roles/probe/verify.ts";
import { type DeclaredRoles, declaredRoles } from "../roles/review/stack-roles.ts";
import { UserError } from "../util/errors.ts";

/** What a stack makes of a dump's content once that is restored. */
export interface CatchUp {
  readonly access: { readonly owner: ConnectionSettings; readonly admin: ConnectionSettings };
  readonly settings: MigrationSettings;
  readonly files: readonly MigrationFile[];
  readonly declared: DeclaredRoles;
  /** How each role logs in, by its name; without a password where nobody here knows it. */
  readonly logins: Readonly<Record<string, ConnectionSettings>>;
  /** What the stack's last update left in the database, for its next preview to compare. */
  readonly token: string | null;
}

/** What it did. */
export interface CaughtUp {
  /** Migrations that the dump lacked, in the order of application. */
  readonly applied: readonly string[];
  readonly head: string | null;
}

/**
 * Reads what comes after a restore into a stack, so that faults show before anything is touched; undefined for a
 * stack that only imports, which has neither migrations nor rights of its own. Throws RefusedError.
 */
export async function planCatchUp(call: Target): Promise<CatchUp | undefined> {
  const facts = stackFacts(call);
  if ((facts.config.adopt as { importOnly?: boolean } | undefined)?.importOnly === true) return undefined;
  const access = { owner: resolveTarget(call), admin: resolveAdminTarget(call) };
  const settings = settingsOf(call);
  const files = await filesOf(settings);
  keptFiles(files, { rows: [] }, settings);
  const { token } = await withClient(access.admin, (client) =>
    readHistory(client, historyTable(settings.table)),
  );
  const urls = Object.entries((facts.outputs.urls ?? {}) as Record<string, string>);
  const logins = Object.fromEntries(urls.map(([role, url]) => [role, connectionOfStack(facts, url)]));
  return { access, settings, files, declared: declaredRoles(facts), logins, token };
}

/**
 * Applies the migrations that the dump lacks, as the stack's owner, then states and verifies every role's rights.
 * Throws UserError; the restore itself stays.
 */
export async function catchUp(plan: CatchUp, log: (line: string) => void): Promise<CaughtUp> {
  try {
    const caughtUp = await migrate(plan, log);
    await grant(plan);
    await verify(plan, log);
    return caughtUp;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      `${error.message}\nThe dump itself is restored, and stays. Once that is mended, ./pgstack up continues from here.`,
      { cause: error, exitCode: error.exitCode },
    );
  }
}

async function migrate(
  { access, files, settings, token }: CatchUp,
  log: (line: string) => void,
): Promise<CaughtUp> {
  const { applied, history } = await applyMigrations({
    access,
    files,
    kept: (history) => new Set(keptFiles(files, history, settings).map(({ name }) => name)),
    settings,
    leaving: new Set(),
    log,
    afterwards: async (client) => {
      if (token !== null) await client.query(keepTokenSql(historyTable(settings.table), token));
    },
  });
  return { applied, head: history.rows.at(-1)?.name ?? null };
}

async function grant({ access, declared }: CatchUp): Promise<void> {
  await withClient(access.admin, (client) => applyRights(client, declared));
}

async function verify({ access, declared, logins }: CatchUp, log: (line: string) => void): Promise<void> {
  for (const role of declared.roles) {
    const found = logins[role.role];
    const login = found?.password === undefined ? undefined : found;
    await verifyRole(login ?? access.admin, { ...role, byAdmin: login === undefined }, log);
  }
}
