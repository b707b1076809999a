import * as postgresql from "@pulumi/postgresql";
import type * as pulumi from "@pulumi/pulumi";
import type { DatabaseConfig } from "../../runner/config/database.ts";
import { type Connection, RunnerCommand } from "../runner/command.ts";
import type { Names } from "./names.ts";

export interface ContentsArgs {
  readonly names: Names;
  readonly config: DatabaseConfig;
  /** The owner's role, which must exist first. */
  readonly owner: postgresql.Role;
  /** The server, where it is made here: with it goes all that is in it. */
  readonly instance: pulumi.Resource | undefined;
  /** Leads the admin to it. */
  readonly connection: Connection;
  /** Whether `destroy` refuses to drop it. */
  readonly protect: boolean;
  /** It was there before the stack: its schemas keep their owners. */
  readonly adopted: boolean;
  /** It is not made but imported, as it is. */
  readonly importOnly: boolean;
}

/** A database as it is before its migrations. */
export interface EmptyDatabase {
  readonly database: postgresql.Database;
  /** All that later resources wait for. */
  readonly contents: readonly pulumi.Resource[];
}

/** Where a database's resources are declared. */
export interface Place {
  readonly parent: pulumi.Resource;
  /** Of the database's server; that of the parent where there is none. */
  readonly provider?: pulumi.ProviderResource;
}

/** Declares the database, with the schemas and extensions that its owner starts from, made one after the other. */
export function declareDatabase(args: ContentsArgs, place: Place): EmptyDatabase {
  const database = createDatabase(args, place);
  const access = args.importOnly ? [] : [closeDatabase(args, database, place.parent)];
  return { database, contents: createContents(args, [database, ...access], place) };
}

/**
 * What a change must never do: `encoding` to `template` count only when a database is made, and would replace it. The others
 * no configuration says, so a database that was there before keeps its own: a connection limit, say.
 */
const settled = [
  ...["encoding", "lcCollate", "lcCtype", "template", "tablespaceName"],
  ...["connectionLimit", "allowConnections", "isTemplate", "alterObjectOwnership"],
];

/** Flags of the provider for creating and dropping, which an import leaves out of the state. */
const flags = ["ifNotExists", "createCascade", "dropCascade"];

function createDatabase(args: ContentsArgs, place: Place): postgresql.Database {
  return new postgresql.Database(
    args.names.of(`database-${args.config.name}`),
    {
      name: args.config.name,
      owner: args.owner.name,
      encoding: "UTF8",
      lcCollate: "DEFAULT",
      lcCtype: "DEFAULT",
      template: "template0",
    },
    {
      ...place,
      ignoreChanges: settled,
      protect: args.protect,
      ...(args.importOnly && { import: args.config.name }),
      ...(args.instance && { deletedWith: args.instance }),
    },
  );
}

/**
 * An admin who is no superuser may make extensions, and PUBLIC may not connect to a new database. To one that was there
 * before PUBLIC may, until the stack's roles may by name: both change in the transaction of `Roles`.
 */
function closeDatabase(
  { names, config, connection, adopted }: ContentsArgs,
  database: postgresql.Database,
  parent: pulumi.Resource,
): pulumi.Resource {
  return new RunnerCommand(
    names.of("database-access"),
    {
      ensure: "role-grants",
      request: JSON.stringify({
        owner: config.owner,
        creators: [],
        roles: [],
        ...(adopted && { publicStays: true }),
      }),
      connection,
    },
    { parent, deletedWith: database, dependsOn: [database] },
  );
}

function createContents(
  args: ContentsArgs,
  [database, ...access]: readonly [postgresql.Database, ...pulumi.Resource[]],
  place: Place,
): pulumi.Resource[] {
  const made: pulumi.Resource[] = [database, ...access];
  const options = (name: string) => ({
    ...place,
    deletedWith: database,
    dependsOn: made.at(-1) ?? database,
    ignoreChanges: args.importOnly
      ? [...flags, "owner", "schema", "version"]
      : args.adopted
        ? [...flags, "owner"]
        : flags,
    ...(args.importOnly && { import: `${args.config.name}.${name}` }),
  });
  for (const name of args.config.schemas)
    made.push(
      new postgresql.Schema(
        args.names.of(`schema-${name}`),
        { name, database: database.name, owner: args.owner.name },
        options(name),
      ),
    );
  for (const name of args.config.extensions)
    made.push(
      new postgresql.Extension(
        args.names.of(`extension-${name}`),
        { name, database: database.name },
        options(name),
      ),
    );
  return made;
}
