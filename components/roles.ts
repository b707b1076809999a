import { local } from "@pulumi/command";
import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type { AdoptConfig } from "./config/adopt.ts";
import type { DatabaseConfig } from "./config/database.ts";
import type { RoleConfig } from "./config/roles.ts";
import { connectionEnvironment } from "./connection.ts";
import type { Administrator } from "./instance.ts";
import { LoginRole } from "./login-role.ts";
import { creatorsOf, type Declaration, declare, inOrderOfMembership } from "./role-declaration.ts";
import { runner } from "./runner.ts";

/** The stack's database and the way to it, as far as roles need them. */
export interface RolesTarget {
  readonly config: DatabaseConfig;
  readonly database: pulumi.Resource;
  /** A local instance: when it is removed, roles need no farewell. */
  readonly instance: pulumi.Resource | undefined;
  readonly administrator: Administrator;
}

export interface RolesArgs {
  /** The stack's roles beside the owner. */
  readonly roles: readonly RoleConfig[];
  /** Passwords from the stack's config, by role; a role without one gets a generated one. */
  readonly passwords: Readonly<Record<string, pulumi.Input<string>>>;
  readonly target: RolesTarget;
  /** What existed before the stack. */
  readonly adopt: AdoptConfig;
  /** What must be there first, such as schemas and extensions. */
  readonly after: readonly pulumi.Resource[];
}

/** A role of the stack as it was made. */
export interface StackRole {
  readonly config: RoleConfig;
  readonly declaration: Declaration;
  /** Secret; undefined where the role keeps one that nobody here knows. */
  readonly password: pulumi.Output<string> | undefined;
}

/**
 * The stack's roles, what PUBLIC loses, and each role's CONNECT, USAGE and default privileges: all that can be said
 * before there are objects. `RoleGrants` follows after the migrations. One thing is made after the other, since
 * PostgreSQL fails when two sessions change the same row of its catalogs.
 */
export class Roles extends pulumi.ComponentResource {
  readonly target: RolesTarget;
  /** PG* variables that lead the admin to the stack's database. */
  readonly admin: Record<string, pulumi.Output<string>>;
  /** Each after those that it is a member of. */
  readonly all: readonly StackRole[];
  /** Roles beside the owner that make objects. */
  readonly creators: readonly string[];

  constructor(name: string, args: RolesArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:Roles", name, {}, opts);
    this.target = args.target;
    this.admin = connectionEnvironment(args.target.administrator, {
      ...args.target.administrator,
      database: args.target.config.name,
    });
    const roles = inOrderOfMembership(args.roles);
    this.creators = creatorsOf(roles, args.target.config.owner);
    const { adopt, after } = args;
    this.all = adopt.importOnly
      ? this.#importRoles(roles, args)
      : this.#createRoles(roles, args, this.#restrictPublic(after));
    this.registerOutputs({ roles: roles.map((role) => role.name) });
  }

  /** The password of each role, by its name. Secret. */
  get passwords(): Record<string, pulumi.Output<string> | undefined> {
    return Object.fromEntries(this.all.map(({ config, password }) => [config.name, password]));
  }

  #createRoles(roles: readonly RoleConfig[], args: RolesArgs, first: pulumi.Resource): StackRole[] {
    let before = first;
    return roles.map((config) => {
      const login = this.#logIn(config, args, [before]);
      const declaration = declare(config, this.target.config, this.creators);
      before = this.#allow(login, declaration);
      return { config, declaration, password: login.password };
    });
  }

  /** The roles alone, as they are: no right is given or taken. */
  #importRoles(roles: readonly RoleConfig[], args: RolesArgs): StackRole[] {
    return roles.map((config) => ({
      config,
      declaration: declare(config, this.target.config, this.creators),
      password: this.#logIn(config, args, args.after).password,
    }));
  }

  #logIn(config: RoleConfig, { adopt, passwords }: RolesArgs, after: readonly pulumi.Resource[]): LoginRole {
    const { name } = config;
    const adopted = adopt.roles.includes(name);
    const { importOnly } = adopt;
    const deletedWith = this.target.instance;
    const args = { settings: config, password: passwords[name], adopted, importOnly, after, deletedWith };
    return new LoginRole(name, args, { parent: this });
  }

  /** Any role may connect to a new database, make temporary tables in it and run its functions, until PUBLIC may not. */
  #restrictPublic(after: readonly pulumi.Resource[]): pulumi.Resource {
    const { config, database } = this.target;
    const connect = new postgresql.Grant(
      "public-connect",
      { database: config.name, role: "public", objectType: "database", privileges: [] },
      { parent: this, deletedWith: database, dependsOn: [database, ...after] },
    );
    return new local.Command(
      "public-access",
      {
        create: runner("public-grants"),
        stdin: JSON.stringify({ owner: config.owner, creators: this.creators }),
        environment: this.admin,
        logging: "stderr",
      },
      { parent: this, deletedWith: database, dependsOn: [connect] },
    );
  }

  /** CONNECT, and what can be given before there are objects. When the role goes, so does all it holds. */
  #allow(login: LoginRole, declaration: Declaration): pulumi.Resource {
    const { config, database, instance } = this.target;
    const connect = new postgresql.Grant(
      `${declaration.role}-connect`,
      { database: config.name, role: login.role.name, objectType: "database", privileges: ["CONNECT"] },
      { parent: login, deletedWith: database },
    );
    return new local.Command(
      `${declaration.role}-access`,
      {
        create: runner("role-grants"),
        delete: runner("role-retire"),
        stdin: JSON.stringify(declaration),
        environment: this.admin,
        logging: "stderr",
      },
      { parent: login, dependsOn: [connect], ...(instance && { deletedWith: instance }) },
    );
  }
}
