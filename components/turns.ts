import type * as pulumi from "@pulumi/pulumi";
import type { RoleConfig } from "../runner/config/roles.ts";

/** A role as the database that declares it made it: others on the server may share it. */
export interface DeclaredRole {
  readonly config: RoleConfig;
  /** Secret; undefined where the role keeps one that nobody here knows. */
  readonly password: pulumi.Output<string> | undefined;
  readonly role: pulumi.CustomResource;
}

/** A role that a database declares; the owner has no access of its own. */
interface ClaimedRole {
  readonly name: string;
  readonly access?: RoleConfig["access"];
}

/** Who declares a role. */
interface Claim {
  readonly database: string;
  readonly access: RoleConfig["access"] | undefined;
}

/** What several databases change on one server, one database after the other. */
export type Phase = "roles" | "grants";

/** A place in the order of databases. */
export interface Turn {
  /** What the database before waits for, once it is declared. */
  readonly after: Promise<readonly pulumi.Resource[]>;
  /** Says what the next database has to wait for. */
  readonly end: (last: readonly pulumi.Resource[]) => void;
}

/**
 * The order of a server's databases. Roles, memberships and CONNECT are rows of catalogs that all databases share, and
 * PostgreSQL fails where two sessions change one row; a role that logs in twice at once may meet its connection limit.
 */
export class Turns {
  readonly #last: Record<Phase, Promise<readonly pulumi.Resource[]>> = {
    roles: Promise.resolve([]),
    grants: Promise.resolve([]),
  };
  readonly #claims = new Map<string, Claim>();
  readonly #roles = new Map<string, DeclaredRole>();

  /** Takes the place after the databases that were constructed before. */
  take(phase: Phase): Turn {
    const after = this.#last[phase];
    const { promise, resolve } = Promise.withResolvers<readonly pulumi.Resource[]>();
    this.#last[phase] = promise;
    return { after, end: resolve };
  }

  /** Notes who declares these roles. @returns those that another database declares, with its name */
  claim(
    database: string,
    roles: readonly ClaimedRole[],
  ): { readonly role: string; readonly database: string }[] {
    const taken = roles.flatMap(({ name }) => {
      const claim = this.#claims.get(name);
      return claim === undefined ? [] : [{ role: name, database: claim.database }];
    });
    if (taken.length === 0)
      for (const { name, access } of roles) this.#claims.set(name, { database, access });
    return taken;
  }

  /** Who of the program declares the role; undefined where nobody does. */
  claimed(role: string): Claim | undefined {
    return this.#claims.get(role);
  }

  /** Hands a role to the databases that share it. */
  add(role: DeclaredRole): void {
    this.#roles.set(role.config.name, role);
  }

  /** A role of a database whose turn has ended. */
  get(role: string): DeclaredRole | undefined {
    return this.#roles.get(role);
  }
}
