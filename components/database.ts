import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type { DatabaseConfig } from "../runner/config/database.ts";
import { type Connection, RunnerCommand } from "./runner/command.ts";

export interface DatabaseArgs {
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

/** The database, with the schemas and extensions that its owner starts from, made one after the other. */
export class Database extends pulumi.ComponentResource {
  readonly database: postgresql.Database;
  /** All that later resources wait for. */
  readonly contents: readonly pulumi.Resource[];

  constructor(name: string, args: DatabaseArgs, options?: pulumi.ComponentResourceOptions) {
    super("pgstack:index:Database", name, {}, options);
    this.database = createDatabase(name, args, this);
    const access = args.importOnly ? [] : [closeDatabase(name, args, this.database, this)];
    this.contents = createContents(args, [this.database, ...access], this);
    this.registerOutputs({});
  }
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

function createDatabase(name: string, args: DatabaseArgs, parent: pulumi.Resource): postgresql.Database {
  return new postgresql.Database(
    `${name}-${args.config.name}`,
    {
      name: args.config.name,
      owner: args.owner.name,
      encoding: "UTF8",
      lcCollate: "DEFAULT",
      lcCtype: "DEFAULT",
      template: "template0",
    },
    {
      parent,
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
  name: string,
  { config, connection, adopted }: DatabaseArgs,
  database: postgresql.Database,
  parent: pulumi.Resource,
): pulumi.Resource {
  return new RunnerCommand(
    `${name}-access`,
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
  args: DatabaseArgs,
  [database, ...access]: readonly [postgresql.Database, ...pulumi.Resource[]],
  parent: pulumi.Resource,
): pulumi.Resource[] {
  const made: pulumi.Resource[] = [database, ...access];
  const options = (name: string) => ({
    parent,
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
        `schema-${name}`,
        { name, database: database.name, owner: args.owner.name },
        options(name),
      ),
    );
  for (const name of args.config.extensions)
    made.push(
      new postgresql.Extension(`extension-${name}`, { name, database: database.name }, options(name)),
    );
  return made;
}
