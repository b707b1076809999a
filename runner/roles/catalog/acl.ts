/** Rights on one object by who holds them; `PUBLIC` is `publicGrantee`. */
export type Acl = ReadonlyMap<string, readonly string[]>;

/** What stands for PUBLIC where a grantee is named, as it does in PostgreSQL's own notation. */
export const publicGrantee = "";

/** https://www.postgresql.org/docs/current/ddl-priv.html#PRIVILEGE-ABBREVS-TABLE */
const privileges: Readonly<Record<string, string>> = {
  ...{ r: "SELECT", a: "INSERT", w: "UPDATE", d: "DELETE", D: "TRUNCATE", x: "REFERENCES", t: "TRIGGER" },
  ...{ m: "MAINTAIN", X: "EXECUTE", U: "USAGE", C: "CREATE", c: "CONNECT", T: "TEMPORARY" },
};

/** `name=letters/grantor`, the name in double quotes where it has more than letters, digits and underscores. */
const item = /^(?:"((?:[^"]|"")*)"|([^=]*))=([^/]*)\//s;

/**
 * Reads an access control list as PostgreSQL prints it (`aclitem[]::text[]`). What several grantors gave counts once;
 * whether it may be given on does not count.
 */
export function parseAcl(items: readonly string[]): Acl {
  const acl = new Map<string, string[]>();
  for (const text of items) {
    const [, quoted, plain = "", letters = ""] = item.exec(text) ?? [];
    const grantee = quoted?.replaceAll('""', '"') ?? plain;
    const held = acl.get(grantee) ?? [];
    for (const letter of letters) {
      const privilege = privileges[letter];
      if (privilege !== undefined && !held.includes(privilege)) held.push(privilege);
    }
    acl.set(grantee, held);
  }
  return acl;
}
