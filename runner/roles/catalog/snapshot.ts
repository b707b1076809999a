import type pg from "pg";
import type { RightsDeclaration } from "../../config/role-declaration.ts";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { readCreators } from "./creators.ts";
import { type CatalogObject, type DefaultAcl, readDefaults, readObjects } from "./objects.ts";

/** All of the server that rights are planned from, read at one moment. */
export interface Snapshot {
  readonly objects: readonly CatalogObject[];
  readonly defaults: readonly DefaultAcl[];
  /** Roles whose new objects count. */
  readonly creators: readonly string[];
  /** The declared roles that exist: whether their transactions start read-only. */
  readonly startsReadOnly: ReadonlyMap<string, boolean>;
  readonly admin: { readonly name: string; readonly superuser: boolean };
}

/** Reads what the plan for these roles needs. */
export async function readSnapshot(client: pg.Client, declaration: RightsDeclaration): Promise<Snapshot> {
  const { owner, creators, roles } = declaration;
  const excluding = roles.some(({ exclude }) => exclude.length > 0);
  const admin = await oneRow<Snapshot["admin"]>(
    client,
    "SELECT rolname AS name, rolsuper AS superuser FROM pg_roles WHERE rolname = current_user",
  );
  const settings = await rowsOf<{ name: string; on: boolean }>(
    client,
    `SELECT rolname AS name, coalesce('default_transaction_read_only=on' = ANY(rolconfig), false) AS on
     FROM pg_roles WHERE rolname = ANY($1)`,
    [roles.map(({ role }) => role)],
  );
  return {
    objects: await readObjects(client, { allColumns: excluding }),
    defaults: await readDefaults(client),
    creators: await readCreators(client, [owner, ...creators]),
    startsReadOnly: new Map(settings.map(({ name, on }) => [name, on])),
    admin,
  };
}
