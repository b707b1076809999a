import * as postgresql from "@pulumi/postgresql";
import * as pulumi from "@pulumi/pulumi";
import type { RoleConfig } from "../../runner/config/roles.ts";
import { RunnerCommand } from "../runner/command.ts";
import { scramVerifier } from "./scram.ts";

/** What a login role is made from; the owner needs no more than a name. */
export type LoginRoleSettings = Pick<RoleConfig, "name"> &
  Partial<
    Pick<
      RoleConfig,
      | "connectionLimit"
      | "statementTimeout"
      | "idleInTransactionTimeout"
      | "validUntil"
      | "passwordVersion"
      | "passwordKept"
      | "memberOf"
    >
  >;

export interface LoginRoleArgs {
  readonly settings: LoginRoleSettings;
  /** From the stack's config; without one, a password is generated. */
  readonly password?: pulumi.Input<string> | undefined;
  /** By instant in UTC, its text as the server writes it, as far as the server could be asked. */
  readonly instants?: Promise<Readonly<Record<string, string>>>;
  /** What must be there before the role. */
  readonly after?: readonly pulumi.Resource[];
  /** It was there before the stack: its password stays, unless one is given or its version is raised. */
  readonly adopted?: boolean;
  /** The stack logs in as this role: what it is stays as it is, beside its name. */
  readonly isAdmin?: boolean;
  /** It is not made but imported, as it is. */
  readonly importOnly?: boolean;
  /** What takes the role with it when it is removed, such as a local instance. */
  readonly deletedWith?: pulumi.Resource | undefined;
}

function generatedPassword(name: string, settings: LoginRoleSettings, options: pulumi.CustomResourceOptions) {
  const command = new RunnerCommand(
    `${name}-password`,
    {
      ensure: "password-generate",
      request: JSON.stringify({ passwordVersion: settings.passwordVersion ?? 1 }),
      secret: true,
      onlyForRequest: true,
    },
    { ...options, ...(settings.passwordKept && { ignoreChanges: ["stdin"] }) },
  );
  return command.result<{ password: string }>().password;
}

/**
 * When a role's password ends, as the server writes it; where nobody could ask it, as a server writes it whose time zone is
 * UTC. The provider compares the texts.
 */
function validUntilOf({ settings, instants }: LoginRoleArgs): string | Promise<string> {
  const { validUntil: instant = "infinity" } = settings;
  if (instant === "infinity") return instant;
  const text = `${instant.slice(0, 19).replace("T", " ")}+00`;
  return instants?.then((known) => known[instant] ?? text) ?? text;
}

/**
 * Attributes that no configuration says: an adopted role keeps its own. So it does its memberships: the runner's pass adds
 * those that are declared, while the official provider, at any change of the role, revokes all that it is not given.
 */
const unsaid = [
  ...["superuser", "createDatabase", "createRole", "replication", "bypassRowLevelSecurity"],
  ...["inherit", "searchPaths", "assumeRole", "encryptedPassword", "roles"],
];

/** What the configuration says of every role but the owner. */
const limits = ["connectionLimit", "validUntil", "statementTimeout", "idleInTransactionSessionTimeout"];

/** All that a role has beside its name. */
const everything = [...unsaid, ...limits, "login", "password"];

/** What an adopted role keeps: of the owner no configuration says more than its name. */
function keptBy({ settings }: LoginRoleArgs, hasPassword: boolean): string[] {
  const isOwner = settings.connectionLimit === undefined;
  return [
    ...unsaid,
    ...(hasPassword ? [] : ["password"]),
    ...(isOwner ? limits : []),
    ...(isOwner && !hasPassword ? ["login"] : []),
  ];
}

function attributesOf(args: LoginRoleArgs): postgresql.RoleArgs {
  const { settings } = args;
  return {
    name: settings.name,
    login: true,
    connectionLimit: settings.connectionLimit ?? -1,
    statementTimeout: settings.statementTimeout ?? 0,
    idleInTransactionSessionTimeout: settings.idleInTransactionTimeout ?? 0,
    validUntil: validUntilOf(args),
    roles: [...(settings.memberOf ?? [])].sort(),
  };
}

/**
 * A role that logs in, and its password. The server is given a SCRAM verifier: no statement holds the password.
 */
export class LoginRole extends pulumi.ComponentResource {
  readonly role: postgresql.Role;
  /** Secret; undefined where the role keeps one that nobody here knows. */
  readonly password: pulumi.Output<string> | undefined;
  /** What the server stores of a generated password; undefined where it was given, or nobody here knows it. Secret. */
  readonly generatedVerifier: pulumi.Output<string> | undefined;
  readonly #verifier: pulumi.Output<string> | undefined;

  constructor(name: string, args: LoginRoleArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("pgstack:index:LoginRole", name, {}, opts);
    const { settings } = args;
    const kept =
      args.adopted === true && args.password === undefined && (settings.passwordVersion ?? 1) === 1;
    this.password = kept
      ? undefined
      : pulumi.secret(args.password ?? generatedPassword(name, settings, { parent: this }));
    const identity = JSON.stringify([pulumi.getStack(), settings.name, settings.passwordVersion ?? 1]);
    this.#verifier = this.password?.apply((password) => scramVerifier(password, identity));
    this.generatedVerifier = args.password === undefined ? this.#verifier : undefined;
    this.role = this.#createRole(name, args);
    this.registerOutputs({ role: this.role.name });
  }

  #createRole(name: string, args: LoginRoleArgs) {
    const { settings, adopted, isAdmin, importOnly, after = [], deletedWith } = args;
    const verifier = this.#verifier;
    return new postgresql.Role(
      `${name}-role`,
      { ...attributesOf(args), ...(verifier && { password: verifier }) },
      {
        parent: this,
        dependsOn: [...after],
        ...(deletedWith && { deletedWith }),
        ...(adopted && { ignoreChanges: keptBy(args, verifier !== undefined) }),
        ...(isAdmin && { ignoreChanges: everything, retainOnDelete: true }),
        ...(importOnly && { import: settings.name }),
      },
    );
  }
}
