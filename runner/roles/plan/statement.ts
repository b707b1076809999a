import { identifier } from "../../postgres/sql.ts";
import { publicGrantee } from "../catalog/objects.ts";

/** A statement of a plan. */
export interface Statement {
  /** The SQL, up to those to whom it gives or from whom it takes. */
  readonly text: string;
  /** Quoted; more than one where the same is done for several: the server then writes each object's list once. */
  readonly grantees: readonly string[];
  /** The role whose privileges it takes: an object's owner, or a creator. Undefined: the admin's own. */
  readonly needs: string | undefined;
}

/** What GRANT and REVOKE say. */
export interface Change {
  readonly action: "GRANT" | "REVOKE";
  /** Such as `SELECT, INSERT` or `SELECT ("id", "name")`. */
  readonly privileges: string;
  /** What stands after ON, such as `TABLE "public"."users"` or `TABLES`. */
  readonly on: string;
  /** A role's name, or `publicGrantee`. */
  readonly grantee: string;
  readonly needs: string;
  /** What stands before it, such as `ALTER DEFAULT PRIVILEGES FOR ROLE "owner"`. */
  readonly prefix?: string;
}

/** The statement of a change. */
export function statementOf({ action, privileges, on, grantee, needs, prefix }: Change): Statement {
  const words = [prefix, action, privileges, "ON", on, action === "GRANT" ? "TO" : "FROM"];
  return {
    text: words.filter((word) => word !== undefined).join(" "),
    grantees: [grantee === publicGrantee ? "PUBLIC" : identifier(grantee)],
    needs,
  };
}

/** Whether a statement takes something away. */
export const revokes = ({ text }: Statement) => /^(?:ALTER DEFAULT PRIVILEGES .* )?REVOKE /s.test(text);

/** Plans of several grantees as one: what is done for more than one is done at once, and what is revoked goes first. */
export function together(plans: readonly (readonly Statement[])[]): Statement[] {
  const groups = Map.groupBy(plans.flat(), ({ text, needs }) => JSON.stringify([text, needs]));
  const statements = [...groups.values()].flatMap((group) => {
    const [first] = group;
    const grantees = new Set(group.flatMap((one) => one.grantees));
    return first === undefined ? [] : [{ ...first, grantees: [...grantees] }];
  });
  const onObject = ({ text }: Statement) => text.startsWith("REVOKE ");
  return [...statements.filter(onObject), ...statements.filter((one) => !onObject(one))];
}

/** A statement in full. */
export function sqlOf({ text, grantees }: Statement): string {
  return [text, ...(grantees.length > 0 ? [grantees.join(", ")] : [])].join(" ");
}
