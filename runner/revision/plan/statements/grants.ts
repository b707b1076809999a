import { encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";
import type { Action } from "@supabase/pg-delta/plan";
import { identifier } from "../../../postgres/sql.ts";

type AclId = Extract<StableId, { kind: "acl" }>;

const isAcl = (id: StableId): id is AclId => id.kind === "acl";

/** The privileges of one role on one object or column, and those among them that it may grant. */
interface Privileges {
  readonly all: ReadonlySet<string>;
  readonly grantable: ReadonlySet<string>;
}

function privilegesOf(fact: Fact | undefined): Privileges {
  const list = (name: string) => new Set((fact?.payload[name] ?? []) as string[]);
  return { all: list("privileges"), grantable: list("grantable") };
}

/** How pg-delta begins: it revokes everything from a role before it grants. */
const revokeAll =
  /^REVOKE ALL(?: \((?<column>"(?:[^"]|"")*")\))? ON (?<target>.*) FROM (?<grantee>PUBLIC|"(?:[^"]|"")*")$/s;

/** GRANT and REVOKE for single privileges of one role on one object. */
class Grants {
  readonly #target: string;
  readonly #grantee: string;

  constructor(target: string, grantee: string) {
    this.#target = target;
    this.#grantee = grantee;
  }

  grant(privileges: ReadonlySet<string>, column?: string, option = ""): string[] {
    return privileges.size === 0
      ? []
      : [`GRANT ${this.#list(privileges, column)} ON ${this.#target} TO ${this.#grantee}${option}`];
  }

  revoke(privileges: ReadonlySet<string>, column?: string, option = ""): string[] {
    return privileges.size === 0
      ? []
      : [`REVOKE ${option}${this.#list(privileges, column)} ON ${this.#target} FROM ${this.#grantee}`];
  }

  #list(privileges: ReadonlySet<string>, column: string | undefined): string {
    return [...privileges].map((one) => (column === undefined ? one : `${one} (${column})`)).join(", ");
  }

  /** What leads from some privileges to others, without taking away one that stays. */
  between(before: Privileges, after: Privileges, column?: string): string[] {
    const added = after.all.difference(before.all);
    return [
      ...this.revoke(before.all.difference(after.all), column),
      ...this.revoke(
        before.grantable.difference(after.grantable).intersection(after.all),
        column,
        "GRANT OPTION FOR ",
      ),
      ...this.grant(added.difference(after.grantable), column),
      ...this.grant(after.grantable.difference(before.grantable), column, " WITH GRANT OPTION"),
    ];
  }
}

/** Privileges on columns that go with the same privileges on their table, and must come back. */
function onColumns(
  id: AclId,
  revoked: ReadonlySet<string>,
  from: FactBase,
  to: FactBase,
  grants: Grants,
): string[] {
  if (id.column !== undefined || revoked.size === 0) return [];
  return to.facts().flatMap((fact) => {
    if (!isAcl(fact.id) || fact.id.column === undefined || fact.id.grantee !== id.grantee) return [];
    if (encodeId(fact.id.target) !== encodeId(id.target) || !from.has(fact.id)) return [];
    const { all, grantable } = privilegesOf(fact);
    const lost = all.intersection(revoked);
    const column = identifier(fact.id.column);
    return [
      ...grants.grant(lost.difference(grantable), column),
      ...grants.grant(lost.intersection(grantable), column, " WITH GRANT OPTION"),
    ];
  });
}

/**
 * A plan that grants and revokes the privileges that differ, and no others: pg-delta revokes all of a role's first, and a
 * table's privileges take those on its columns along. Objects that are created get theirs as pg-delta writes it. Pure.
 *
 * @param from the schema that the plan leads away from
 * @param to the schema that it leads to
 */
export function withGrantsOfDifferences(actions: readonly Action[], from: FactBase, to: FactBase): Action[] {
  const created = new Set(
    actions.flatMap(({ produces }) => produces.filter((id) => !isAcl(id)).map(encodeId)),
  );
  const changed = new Set<string>();
  return actions.flatMap((action): Action[] => {
    const [id] = [...action.produces, ...action.destroys].filter(isAcl);
    const { column, target, grantee } = action.sql.match(revokeAll)?.groups ?? {};
    if (
      id !== undefined &&
      target !== undefined &&
      grantee !== undefined &&
      !created.has(encodeId(id.target))
    ) {
      if (changed.has(encodeId(id))) return [];
      changed.add(encodeId(id));
      const grants = new Grants(target, grantee);
      const [before, after] = [privilegesOf(from.get(id)), privilegesOf(to.get(id))];
      const all = [
        ...grants.between(before, after, column),
        ...onColumns(
          id,
          before.all.difference(after.all).union(before.grantable.difference(after.grantable)),
          from,
          to,
          grants,
        ),
      ];
      return all.map((sql, index) =>
        index === 0 ? { ...action, sql } : { ...action, sql, produces: [], destroys: [] },
      );
    }
    const granted = action.consumes.find(isAcl);
    const isObsolete =
      granted !== undefined && action.sql.startsWith("GRANT ") && changed.has(encodeId(granted));
    return isObsolete ? [] : [action];
  });
}
