import { UserError } from "../../util/errors.ts";

/** What a role may do: read, or read and write rows; never define objects. */
export type Access = "readonly" | "readwrite";

/** A role's rights in one database, as the stack declares them. */
export interface RoleDeclaration {
  readonly role: string;
  readonly access: Access;
  /** Schemas the role may use. */
  readonly schemas: readonly string[];
  /** True where the role may use every schema of the database: those that come later count too. */
  readonly allSchemas: boolean;
  /** Tables (`audit.*`) and columns (`users.email`) that the role may not touch; see exclusion.ts. */
  readonly exclude: readonly string[];
}

/** All rights in one database, as the stack declares them. */
export interface RightsDeclaration {
  /** The database's owner, who makes most objects. */
  readonly owner: string;
  /** Further roles that make objects, such as one that runs migrations. */
  readonly creators: readonly string[];
  readonly roles: readonly RoleDeclaration[];
}

/** A declared role with its memberships. */
export type ReviewedRole = RoleDeclaration & { readonly memberOf: readonly string[] };

/** All rights in one database as declared, memberships included. */
export type ReviewedRights = Omit<RightsDeclaration, "roles"> & { readonly roles: readonly ReviewedRole[] };

/** A role to try out. */
export interface ProbedRole extends RoleDeclaration {
  /** Roles that it is a member of, and whose rights it has. */
  readonly memberOf: readonly string[];
  /** Until when its password counts; `infinity`, or a date and time. */
  readonly validUntil: string;
  /** Nobody here knows its password, so the admin takes its part (by SET ROLE). */
  readonly byAdmin: boolean;
}

/** Reads the settings that a resource sends. Throws UserError where they are not an object with these members. */
export function readDeclaration<T extends object>(json: string, members: readonly (keyof T & string)[]): T {
  const value: unknown = JSON.parse(json);
  const missing = members.filter((name) => (value as Partial<T> | null)?.[name] === undefined);
  if (missing.length > 0)
    throw new UserError(
      `Settings on standard input need ${members.join(", ")}; missing: ${missing.join(", ")}`,
    );
  return value as T;
}

/** The members that every RightsDeclaration has. */
export const rightsMembers = [
  "owner",
  "creators",
  "roles",
] as const satisfies readonly (keyof RightsDeclaration)[];

/** The members that every RoleDeclaration has. */
export const roleMembers = [
  "role",
  "access",
  "schemas",
  "allSchemas",
  "exclude",
] as const satisfies readonly (keyof RoleDeclaration)[];

/** What a program asks the server before it declares anything. */
export interface RightsCheckRequest {
  readonly database: {
    readonly name: string;
    readonly owner: string;
    readonly extensions: readonly string[];
    /** Nobody here knows the owner's password: the admin becomes the owner to run migrations. */
    readonly ownerByAdmin: boolean;
  };
  readonly rights: ReviewedRights;
}
