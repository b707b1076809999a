import type { Fact } from "@supabase/pg-delta/core";
import type { GrantStmt, Node } from "libpg-query";
import { identifier } from "../../postgres/sql.ts";
import type { SqlSource } from "../models.ts";
import { isViewGrant } from "./extras/properties.ts";
import { pathOf } from "./managed-view.ts";

/** What a REVOKE of the models takes from a role. A catalog does not tell it from what was never granted. */
export interface Revoked {
  readonly grantee: string;
  readonly schema: string;
  /** The object's name; undefined for all objects of the schema. */
  readonly name: string | undefined;
  /** In capitals, such as SELECT; undefined for all. */
  readonly privileges: ReadonlySet<string> | undefined;
  /** Undefined where no column is named: then the privileges on all columns are revoked too. */
  readonly column: string | undefined;
}

/** The schema and name of an object that a statement names in one of the forms that GRANT has. */
function nameIn(node: Node, schema: string): Pick<Revoked, "schema" | "name"> | undefined {
  if ("RangeVar" in node) return { schema: node.RangeVar.schemaname ?? schema, name: node.RangeVar.relname };
  const list =
    "ObjectWithArgs" in node ? node.ObjectWithArgs.objname : "List" in node ? node.List.items : undefined;
  const names = list?.flatMap((one) => ("String" in one ? (one.String.sval ?? []) : [])) ?? [];
  const [name, own] = [...names].reverse();
  return name === undefined ? undefined : { schema: own ?? schema, name };
}

function objectsOf(
  { targtype, objects = [] }: GrantStmt,
  schema: string,
): Pick<Revoked, "schema" | "name">[] {
  if (targtype === "ACL_TARGET_ALL_IN_SCHEMA")
    return objects.flatMap((one) =>
      "String" in one && one.String.sval ? [{ schema: one.String.sval, name: undefined }] : [],
    );
  return objects.flatMap((one) => nameIn(one, schema) ?? []);
}

/** The privileges of a statement: those on whole objects together, those on columns one by one. */
function privilegesOf({ privileges }: GrantStmt): Pick<Revoked, "privileges" | "column">[] {
  if (privileges === undefined) return [{ privileges: undefined, column: undefined }];
  return privileges.flatMap((one): Pick<Revoked, "privileges" | "column">[] => {
    const { priv_name: name, cols = [] } = "AccessPriv" in one ? one.AccessPriv : {};
    const all = name === undefined ? undefined : new Set([name.toUpperCase()]);
    const columns = cols.flatMap((column) => ("String" in column ? (column.String.sval ?? []) : []));
    return columns.length === 0
      ? [{ privileges: all, column: undefined }]
      : columns.map((column) => ({ privileges: all, column }));
  });
}

function revokedBy(statement: GrantStmt, schema: string): Revoked[] {
  if (statement.is_grant === true || statement.grant_option === true) return [];
  const grantees = (statement.grantees ?? []).flatMap((one) =>
    "RoleSpec" in one && one.RoleSpec.rolename ? [one.RoleSpec.rolename] : [],
  );
  return grantees.flatMap((grantee) =>
    objectsOf(statement, schema).flatMap((object) =>
      privilegesOf(statement).map((some) => ({ grantee, ...object, ...some })),
    ),
  );
}

/** The schema that a SET search_path puts first. */
function pathIn(node: Node): string | undefined {
  const { name, args = [] } = "VariableSetStmt" in node ? node.VariableSetStmt : {};
  const [first] = name === "search_path" ? args : [];
  return first !== undefined && "A_Const" in first ? first.A_Const.sval?.sval : undefined;
}

async function revokedInOne({ sql }: SqlSource): Promise<Revoked[]> {
  if (!/\bREVOKE\b/i.test(sql)) return [];
  const { parse } = await import("libpg-query"); // takes a while to load, and few models need it
  const { stmts = [] } = await parse(sql.replace(/^\\.*$/gm, ""));
  let schema = "public";
  return stmts.flatMap(({ stmt }) => {
    if (stmt === undefined) return [];
    schema = pathIn(stmt) ?? schema;
    return "GrantStmt" in stmt ? revokedBy(stmt.GrantStmt, schema) : [];
  });
}

/** All that the models revoke from roles. */
export async function revokedIn(sources: readonly SqlSource[]): Promise<Revoked[]> {
  const all: Revoked[] = [];
  for (const source of sources) all.push(...(await revokedInOne(source)));
  return all;
}

/** A privilege of the database that the models do not mention: whose, on what, and which. */
function grantIn({ id, parent, payload }: Fact) {
  if (id.kind === "acl") {
    const { schema, name } = id.target as { schema?: string; name?: string };
    return { grantee: id.grantee, schema, name, column: id.column, all: payload.privileges as string[] };
  }
  if (!isViewGrant(id) || id.kind !== "extensionIntent") return undefined;
  const [, privilege = "", role = ""] = id.key.match(/^grant of (\S+) to (.*) on /s) ?? [];
  const { schema, name } = (parent ?? {}) as { schema?: string; name?: string };
  const grantee = role.startsWith('"') ? role.slice(1, -1).replaceAll('""', '"') : role;
  return { grantee, schema, name, column: pathOf(id).split(".").at(-1), all: [privilege] };
}

/** A privilege that only the database has, without what the models revoke; undefined where nothing is left. */
export function withoutRevoked(fact: Fact, revoked: readonly Revoked[]): Fact | undefined {
  const grant = revoked.length === 0 ? undefined : grantIn(fact);
  if (grant === undefined) return fact;
  const lost = (privilege: string) =>
    revoked.some(
      (one) =>
        one.grantee === grant.grantee &&
        one.schema === grant.schema &&
        (one.name === undefined || one.name === grant.name) &&
        (one.column === undefined || one.column === grant.column) &&
        (one.privileges === undefined || one.privileges.has(privilege)),
    );
  const left = grant.all.filter((privilege) => !lost(privilege));
  if (left.length === grant.all.length) return fact;
  if (left.length === 0) return undefined;
  const grantable = ((fact.payload.grantable ?? []) as string[]).filter((one) => left.includes(one));
  return { ...fact, payload: { ...fact.payload, privileges: left, grantable } };
}

/** A line for each object whose privileges the models revoke: the stack may grant them again. */
export function revokedNotes(live: readonly Fact[], revoked: readonly Revoked[]): string[] {
  const lines = live.flatMap((fact) => {
    const grant = grantIn(fact);
    if (grant === undefined || grant.grantee === "PUBLIC" || withoutRevoked(fact, revoked) === fact)
      return [];
    const object = [grant.schema, grant.name].filter((part) => part !== undefined).join(".");
    return [
      `the models revoke privileges of ${identifier(grant.grantee)} on ${object}: where the stack grants them (pgstack:roles), exclude the object there, or the next update grants them again`,
    ];
  });
  return [...new Set(lines)];
}
