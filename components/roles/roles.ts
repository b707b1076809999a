import * as pulumi from "@pulumi/pulumi";
import type { AdoptConfig } from "../../runner/config/adopt.ts";
import type { DatabaseConfig } from "../../runner/config/database.ts";
import {
  attributesOf,
  creatorsOf,
  declare,
  inOrderOfMembership,
  type RightsDeclaration,
  type RoleAttributes,
  type RoleDeclaration,
} from "../../runner/config/role-declaration.ts";
import type { RoleConfig } from "../../runner/config/roles.ts";
import type { Administrator } from "../parts/connection.ts";
import type { Connections } from "../parts/connections.ts";
import type { Names } from "../parts/names.ts";
import { type Connection, RunnerCommand } from "../runner/command.ts";
import type { DeclaredRole } from "../turns.ts";
import { LoginRole } from "./login-role.ts";

/** The stack's database and the way to it, as far as roles need them. */
export interface RolesTarget {
  readonly names: Names;
  readonly config: DatabaseConfig;
  readonly database: pulumi.Resource;
  /** A local instance: roles are dropped with it. */
  readonly instance: pulumi.Resource | undefined;
  readonly administrator: Administrator;
  readonly connections: Connections;
  /** Leads the admin to the database. */
  readonly admin: Connection;
}

export interface RolesArgs {
  /** The stack's roles beside the owner. */
  readonly roles: readonly RoleConfig[];
  /** Passwords from the stack's config, by role; a role without one gets a generated one. */
  readonly passwords: Readonly<Record<string, pulumi.Input<string>>>;
  readonly target: RolesTarget;
  /** What existed before the stack. */
  readonly adopt: AdoptConfig;
  /** By instant in UTC, its text as the server writes it. */
  readonly instants: Promise<Readonly<Record<string, string>>>;
  /** A role that another database of the program declares; undefined where none does. */
  readonly declaredElsewhere: (role: string) => DeclaredRole | undefined;
  /** The role that the stack logs in as. */
  readonly adminUser: string | undefined;
  /** What must be there first, such as schemas and extensions. */
  readonly after: readonly pulumi.Resource[];
}

/** A role of the stack as it was made. */
export interface StackRole {
  readonly config: RoleConfig;
  readonly declaration: RoleDeclaration;
  /** It was there before the stack. */
  readonly adopted: boolean;
  /** Secret; undefined where the role keeps one that nobody here knows. */
  readonly password: pulumi.Output<string> | undefined;
  /** Undefined of a shared role that no database of the program declares. */
  readonly role: pulumi.CustomResource | undefined;
  /** What the server stores of a generated password. Secret. */
  readonly generatedVerifier: pulumi.Output<string> | undefined;
  /** What comes after the role itself. */
  readonly record: pulumi.Resource;
}

/**
 * The stack's roles, what PUBLIC loses, and CONNECT, USAGE and default privileges: all that can be said before there are
 * objects. `RoleGrants` follows after the migrations. One role is made after the other, since PostgreSQL fails when two
 * sessions change the same row of its catalogs.
 */
export class Roles extends pulumi.ComponentResource {
  readonly target: RolesTarget;
  /** Leads the admin to the stack's database. */
  readonly admin: Connection;
  /** Each after those that it is a member of. */
  readonly all: readonly StackRole[];
  /** Everybody's rights. */
  readonly declarations: RightsDeclaration;
  /** What each is beside its rights. */
  readonly attributes: readonly RoleAttributes[];

  constructor(name: string, args: RolesArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:Roles", name, {}, opts);
    const { target, adopt } = args;
    this.target = target;
    this.admin = target.admin;
    const roles = inOrderOfMembership(args.roles);
    this.all = adopt.importOnly ? this.#importRoles(roles, args) : this.#createRoles(roles, args);
    const { owner } = target.config;
    this.declarations = {
      owner,
      creators: creatorsOf(roles, owner),
      roles: this.all.map(({ declaration }) => declaration),
    };
    this.attributes = this.all
      .filter(({ config }) => config.shared !== true)
      .map(({ config, adopted }) => attributesOf(config, adopted));
    if (!adopt.importOnly) this.#allow(name, args.after);
    this.registerOutputs({ roles: roles.map((role) => role.name) });
  }

  /** The password of each role, by its name. Secret. */
  get passwords(): Record<string, pulumi.Output<string> | undefined> {
    return Object.fromEntries(this.all.map(({ config, password }) => [config.name, password]));
  }

  #createRoles(roles: readonly RoleConfig[], args: RolesArgs): StackRole[] {
    let after = args.after;
    return roles.map((config) => {
      if (config.shared) {
        const shared = this.#share(config, args, after);
        after = [shared.record];
        return shared;
      }
      const login = this.#logIn(config, args, after);
      const declaration = declare(config, this.target.config);
      const record = this.#recordAccess(login, declaration);
      after = [record];
      return {
        config,
        declaration,
        adopted: this.#isAdopted(config, args),
        password: login.password,
        role: login.role,
        generatedVerifier: login.generatedVerifier,
        record,
      };
    });
  }

  /** The roles alone, as they are: no right is given or taken. */
  #importRoles(roles: readonly RoleConfig[], args: RolesArgs): StackRole[] {
    const ours = roles.filter(({ shared }) => shared !== true); // an import gives no rights
    return ours.map((config) => {
      const login = this.#logIn(config, args, args.after);
      const declaration = declare(config, this.target.config);
      const { password, role } = login;
      return {
        config,
        declaration,
        adopted: true,
        password,
        generatedVerifier: undefined,
        role,
        record: role,
      };
    });
  }

  /** A role that another database declares: its rights here, which end when it is shared no more. */
  #share(config: RoleConfig, args: RolesArgs, after: readonly pulumi.Resource[]): StackRole {
    const { names, database, config: target } = this.target;
    const declaration = declare(config, target);
    const known = args.declaredElsewhere(config.name);
    const record = new RunnerCommand(
      names.ofRole(config.name, "-shared"),
      {
        remove: "role-leave",
        request: JSON.stringify({ ...declaration, owner: target.owner }),
        connection: this.admin,
      },
      { parent: this, deletedWith: database, dependsOn: [...after, ...(known ? [known.role] : [])] },
    );
    return {
      // the probe has to know what else the role may do
      config: known === undefined ? config : { ...known.config, ...ofThisDatabase(config) },
      declaration,
      adopted: true,
      password: known?.password,
      role: known?.role,
      generatedVerifier: undefined,
      record,
    };
  }

  #isAdopted({ name }: RoleConfig, { adopt }: Pick<RolesArgs, "adopt">): boolean {
    return adopt.roles.includes(name);
  }

  #logIn(
    config: RoleConfig,
    { adopt, passwords, instants, adminUser }: RolesArgs,
    after: readonly pulumi.Resource[],
  ): LoginRole {
    const { name } = config;
    const adopted = this.#isAdopted(config, { adopt });
    const { importOnly } = adopt;
    const deletedWith = this.target.instance;
    const isAdmin = name === adminUser;
    const args = {
      settings: config,
      password: passwords[name],
      adopted,
      isAdmin,
      importOnly,
      instants,
      after,
      deletedWith,
    };
    return new LoginRole(this.target.names.ofRole(name), args, { parent: this });
  }

  /** A role's declaration, for previews, and the command before DROP ROLE. It runs nothing until then. */
  #recordAccess(login: LoginRole, declaration: RoleDeclaration): pulumi.Resource {
    const { names, config, database, instance } = this.target;
    return new RunnerCommand(
      names.ofRole(declaration.role, "-access"),
      {
        remove: "role-retire",
        request: JSON.stringify({ ...declaration, owner: config.owner }),
        connection: this.admin,
      },
      {
        parent: login,
        dependsOn: [login.role, database],
        ...(instance && { deletedWith: instance }),
      },
    );
  }

  /** CONNECT, and what can be given before there are objects, to all of them in one transaction. */
  #allow(name: string, after: readonly pulumi.Resource[]): void {
    new RunnerCommand(
      `${name}-access`,
      { ensure: "role-grants", request: JSON.stringify(this.declarations), connection: this.admin },
      {
        parent: this,
        deletedWith: this.target.database,
        dependsOn: [...after, ...this.all.map(({ record }) => record)],
      },
    );
  }
}

/** What a shared role's entry says of it. */
function ofThisDatabase({ name, access, schemas, exclude, shared }: RoleConfig) {
  return { name, access, schemas, exclude, shared };
}
