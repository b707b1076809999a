import { UserError } from "../user-error.ts";

/** What a role may do: read, or read and write rows; never define objects. */
export type Access = "readonly" | "readwrite";

/** A role's rights in one database, as the stack declares them. */
export interface RoleDeclaration {
  readonly role: string;
  readonly access: Access;
  /** The database's owner, who makes most objects. */
  readonly owner: string;
  /** Schemas the role may use. */
  readonly schemas: readonly string[];
  /** True where the role may use every schema of the database: those that come later count too. */
  readonly allSchemas: boolean;
  /** Tables (`audit.*`) and columns (`users.email`) that the role may not touch; see exclusion.ts. */
  readonly exclude: readonly string[];
  /** Further roles that make objects, such as one that runs migrations. */
  readonly creators: readonly string[];
}

/** A role to try out. */
export interface ProbedRole extends RoleDeclaration {
  /** Roles that it is a member of, and whose rights it has. */
  readonly memberOf: readonly string[];
  /** Until when its password counts; `infinity`, or a date and time. */
  readonly validUntil: string;
  /** Nobody here knows its password, so the admin takes its part (by SET ROLE). */
  readonly byAdmin: boolean;
}

/** What PUBLIC is left with: the same database, seen without a role. */
export type PublicDeclaration = Pick<RoleDeclaration, "owner" | "creators">;

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

/** The members that every RoleDeclaration has. */
export const roleMembers = [
  "role",
  "access",
  "owner",
  "schemas",
  "allSchemas",
  "exclude",
  "creators",
] as const satisfies readonly (keyof RoleDeclaration)[];
