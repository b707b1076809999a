import { local } from "@pulumi/command";
import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type { DatabaseConfig } from "./config/database.ts";
import type { RoleConfig } from "./config/roles.ts";
import { LoginRole } from "./login-role.ts";
import { creatorsOf, type Declaration, declare, inOrderOfMembership } from "./role-declaration.ts";

/** The stack's database and the way to it, as far as roles need them. */
export interface RolesTarget {
  readonly config: DatabaseConfig;
  readonly database: pulumi.Resource;
  /** A local instance: when it is removed, roles need no farewell. */
  readonly instance?: pulumi.Resource | undefined;
  /** PG* variables that lead the admin to the stack's database; PGPASSWORD among them as a secret. */
  readonly admin: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

export interface RolesArgs {
  /** The stack's roles beside the owner. */
  readonly roles: readonly RoleConfig[];
  /** Passwords from the stack's config, by role; a role without one gets a generated one. */
  readonly passwords: Readonly<Record<string, pulumi.Input<string>>>;
  readonly target: RolesTarget;
  /** What must be there first, such as schemas and extensions. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * The stack's roles, what PUBLIC loses, and each role's CONNECT, USAGE and default privileges: all that can be said
 * before there are objects. `RoleGrants` follows after the migrations. One thing is made after the other, since
 * PostgreSQL fails when two sessions change the same row of its catalogs.
 */
export class Roles extends pulumi.ComponentResource {
  readonly target: RolesTarget;
  readonly declarations: readonly Declaration[];
  /** Roles beside the owner that make objects. */
  readonly creators: readonly string[];
  /** By role. Secret. */
  readonly passwords: Readonly<Record<string, pulumi.Output<string>>>;

  constructor(name: string, args: RolesArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:Roles", name, {}, opts);
    this.target = args.target;
    const roles = inOrderOfMembership(args.roles);
    this.creators = creatorsOf(roles, args.target.config.owner);
    this.declarations = roles.map((role) => declare(role, args.target.config, this.creators));
    this.passwords = this.#createRoles(roles, args.passwords, this.#restrictPublic(args.after));
    this.registerOutputs({ roles: roles.map((role) => role.name) });
  }

  #createRoles(
    roles: readonly RoleConfig[],
    passwords: RolesArgs["passwords"],
    first: pulumi.Resource,
  ): Record<string, pulumi.Output<string>> {
    let before = first;
    const made: Record<string, pulumi.Output<string>> = {};
    for (const [index, settings] of roles.entries()) {
      const args = {
        settings,
        password: passwords[settings.name],
        after: [before],
        deletedWith: this.target.instance,
      };
      const login = new LoginRole(settings.name, args, { parent: this });
      made[settings.name] = login.password;
      before = this.#allow(login, this.declarations[index] as Declaration);
    }
    return made;
  }

  /** Any role may connect to a new database, make temporary tables in it and run its functions, until PUBLIC may not. */
  #restrictPublic(after: readonly pulumi.Resource[]): pulumi.Resource {
    const { config, database, admin } = this.target;
    const connect = new postgresql.Grant(
      "public-connect",
      { database: config.name, role: "public", objectType: "database", privileges: [] },
      { parent: this, deletedWith: database, dependsOn: [database, ...after] },
    );
    return new local.Command(
      "public-access",
      {
        create: "node runner/main.ts public-grants",
        stdin: JSON.stringify({ owner: config.owner, creators: this.creators }),
        environment: admin,
        logging: "stderr",
      },
      { parent: this, deletedWith: database, dependsOn: [connect] },
    );
  }

  /** CONNECT, and what can be given before there are objects. When the role goes, so does all it holds. */
  #allow(login: LoginRole, declaration: Declaration): pulumi.Resource {
    const { config, database, instance, admin } = this.target;
    const connect = new postgresql.Grant(
      `${declaration.role}-connect`,
      { database: config.name, role: login.role.name, objectType: "database", privileges: ["CONNECT"] },
      { parent: login, deletedWith: database },
    );
    return new local.Command(
      `${declaration.role}-access`,
      {
        create: "node runner/main.ts role-grants",
        delete: "node runner/main.ts role-retire",
        stdin: JSON.stringify(declaration),
        environment: admin,
        logging: "stderr",
      },
      { parent: login, dependsOn: [connect], ...(instance && { deletedWith: instance }) },
    );
  }
}
