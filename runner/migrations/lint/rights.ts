import type { Node } from "libpg-query";
import type pg from "pg";
import { maybeRow, oneRow } from "../../postgres/rows.ts";
import { InvalidScriptError } from "../../postgres/sql-lexer.ts";
import { readScript } from "../files/script.ts";
import type { MigrationFile } from "../files/types.ts";
import type { Finding } from "../plan/findings.ts";
import type { Fields } from "./syntax.ts";

/** What a statement needs of the role that runs it. */
type Need =
  | { readonly right: "SUPERUSER" | "CREATEROLE" | "CREATEDB" }
  | { readonly member: string }
  | { readonly extension: string }
  | { readonly language: string }
  | { readonly setting: string };

interface Needs {
  /** The statement, as a person would call it. */
  readonly what: string;
  readonly need: Need;
}

const superuser = (what: string): Needs => ({ what, need: { right: "SUPERUSER" } });

const ofFunction = ({ options = [] }: Fields): Needs[] =>
  options
    .filter((one: Fields) => one.DefElem?.defname === "language")
    .map((one: Fields) => one.DefElem.arg?.String?.sval ?? "")
    .filter((language: string) => !["sql", "plpgsql"].includes(language.toLowerCase()))
    .map((language: string) => ({ what: `a function in language ${language}`, need: { language } }));

function ofCopy({ is_program, filename, is_from }: Fields): Needs[] {
  if (is_program) return [{ what: "COPY with PROGRAM", need: { member: "pg_execute_server_program" } }];
  if (filename === undefined) return [];
  const member = is_from ? "pg_read_server_files" : "pg_write_server_files";
  return [{ what: "COPY with a file of the server", need: { member } }];
}

/** By kind of statement. https://www.postgresql.org/docs/current/sql-commands.html, under Notes of each. */
const needsOf: Readonly<Record<string, (fields: Fields) => Needs[]>> = {
  CreateEventTrigStmt: () => [superuser("CREATE EVENT TRIGGER")],
  CreateFdwStmt: () => [superuser("CREATE FOREIGN DATA WRAPPER")],
  CreateOpClassStmt: () => [superuser("CREATE OPERATOR CLASS")],
  CreateOpFamilyStmt: () => [superuser("CREATE OPERATOR FAMILY")],
  CreateAmStmt: () => [superuser("CREATE ACCESS METHOD")],
  CreateTableSpaceStmt: () => [superuser("CREATE TABLESPACE")],
  AlterSystemStmt: () => [superuser("ALTER SYSTEM")],
  CreatePLangStmt: () => [superuser("CREATE LANGUAGE")],
  CreateSubscriptionStmt: () => [{ what: "CREATE SUBSCRIPTION", need: { member: "pg_create_subscription" } }],
  CreatedbStmt: () => [{ what: "CREATE DATABASE", need: { right: "CREATEDB" } }],
  CreateRoleStmt: () => [{ what: "CREATE ROLE", need: { right: "CREATEROLE" } }],
  DropRoleStmt: () => [{ what: "DROP ROLE", need: { right: "CREATEROLE" } }],
  CreatePublicationStmt: ({ for_all_tables, pubobjects = [] }) => {
    if (for_all_tables) return [superuser("CREATE PUBLICATION … FOR ALL TABLES")];
    const schemas = pubobjects.some((one: Fields) => /SCHEMA/.test(one.PublicationObjSpec?.pubobjtype ?? ""));
    return schemas ? [superuser("CREATE PUBLICATION … FOR TABLES IN SCHEMA")] : [];
  },
  CreateExtensionStmt: ({ extname }) => [
    { what: `CREATE EXTENSION ${extname}`, need: { extension: extname } },
  ],
  CreateFunctionStmt: ofFunction,
  DefineStmt: ({ kind, definition = [] }) => {
    const base = kind === "OBJECT_TYPE" && definition.length > 0;
    if (base) return [superuser("CREATE TYPE of a new base type")];
    return /OBJECT_TS(PARSER|TEMPLATE)/.test(kind)
      ? [superuser("CREATE TEXT SEARCH PARSER or TEMPLATE")]
      : [];
  },
  VariableSetStmt: ({ name, kind }) =>
    kind === "VAR_SET_VALUE" ? [{ what: `SET ${name}`, need: { setting: name } }] : [],
  CopyStmt: ofCopy,
};

/** Finds most scripts that need nothing without the parser. */
const worthReading =
  /\b(EVENT\s+TRIGGER|WRAPPER|OPERATOR|ACCESS\s+METHOD|TABLESPACE|SYSTEM|LANGUAGE|SUBSCRIPTION|DATABASE|ROLE|USER|PUBLICATION|EXTENSION|TYPE|PARSER|TEMPLATE|SET|PROGRAM|COPY)\b/i;

interface Placed extends Needs {
  readonly where: string;
}

async function needsIn(file: MigrationFile): Promise<Placed[]> {
  if (file.language !== "sql" || !worthReading.test(file.up)) return [];
  const { parseStatements } = await import("./parse.ts"); // brings PostgreSQL's parser with it
  const script = readScript(file.up, { label: file.file, firstLine: file.upLine });
  const statements = await parseStatements(script.text, script.statements).catch((error: unknown) => {
    if (error instanceof InvalidScriptError) return []; // said by the warnings
    throw error;
  });
  const becomes = ({ node }: { node: Node }) =>
    "VariableSetStmt" in node && /^(role|session_authorization)$/.test(node.VariableSetStmt.name ?? "");
  const other = statements.findIndex(becomes); // from here on another role runs it
  return statements.slice(0, other < 0 ? undefined : other).flatMap(({ node, start }) => {
    const [kind = ""] = Object.keys(node);
    const found = needsOf[kind]?.((node as Fields)[kind]) ?? [];
    return found.map((one) => ({ ...one, where: script.placeOf(start) }));
  });
}

interface Role {
  readonly name: string;
  readonly superuser: boolean;
  readonly createrole: boolean;
  readonly createdb: boolean;
}

async function isMember(client: pg.Client, role: string): Promise<boolean> {
  const found = await maybeRow<{ member: boolean }>(
    client,
    "SELECT pg_catalog.pg_has_role(current_user, oid, 'USAGE') AS member FROM pg_catalog.pg_roles WHERE rolname = $1",
    [role],
  );
  return found?.member === true;
}

/** What the role lacks for a statement, in words; undefined where it lacks nothing, or where that cannot be known. */
async function lacking(client: pg.Client, role: Role, need: Need): Promise<string | undefined> {
  if (role.superuser) return undefined;
  if ("right" in need) {
    if (need.right === "CREATEROLE") return role.createrole ? undefined : "CREATEROLE";
    if (need.right === "CREATEDB") return role.createdb ? undefined : "CREATEDB";
    return "a superuser";
  }
  if ("member" in need)
    return (await isMember(client, need.member)) ? undefined : `membership in ${need.member}, or a superuser`;
  if ("setting" in need) {
    const row = await maybeRow<{ context: string }>(
      client,
      "SELECT context FROM pg_catalog.pg_settings WHERE name = pg_catalog.lower($1)",
      [need.setting],
    );
    return row?.context === "superuser" && !(await maySet(client, need.setting)) ? "a superuser" : undefined;
  }
  if ("language" in need) {
    const row = await maybeRow<{ usable: boolean }>(
      client,
      "SELECT lanpltrusted AND pg_catalog.has_language_privilege(oid, 'USAGE') AS usable FROM pg_catalog.pg_language WHERE lanname = $1",
      [need.language],
    );
    return row?.usable === false ? "a superuser" : undefined;
  }
  const row = await maybeRow<{ usable: boolean }>(
    client,
    `SELECT pg_catalog.bool_or(trusted OR NOT superuser OR installed) AS usable
       FROM pg_catalog.pg_available_extension_versions WHERE name = $1 HAVING pg_catalog.count(*) > 0`,
    [need.extension],
  );
  return row?.usable === false ? "a superuser" : undefined;
}

/** PostgreSQL 15 lets SET of a setting be granted. */
async function maySet(client: pg.Client, setting: string): Promise<boolean> {
  const { exists } = await oneRow<{ exists: boolean }>(
    client,
    "SELECT pg_catalog.to_regprocedure('pg_catalog.has_parameter_privilege(text, text)') IS NOT NULL AS exists",
  );
  if (!exists) return false;
  const sql = "SELECT pg_catalog.has_parameter_privilege($1, 'SET') AS granted";
  return (await oneRow<{ granted: boolean }>(client, sql, [setting])).granted;
}

/**
 * Which statements of pending migrations need a right that the role lacks that runs them. What a DO or a function does inside is not
 * seen.
 */
export async function missingRights(
  client: pg.Client,
  pending: readonly MigrationFile[],
): Promise<Finding[]> {
  const needs = (await Promise.all(pending.map(needsIn))).flat();
  if (needs.length === 0) return [];
  const role = await oneRow<Role>(
    client,
    `SELECT rolname AS name, rolsuper AS superuser, rolcreaterole AS createrole, rolcreatedb AS createdb
       FROM pg_catalog.pg_roles WHERE rolname = current_user`,
  );
  const findings: Finding[] = [];
  for (const { what, where, need } of needs) {
    const lack = await lacking(client, role, need);
    if (lack !== undefined)
      findings.push({
        verdict: "note",
        message:
          `${where}: ${what} needs ${lack}, and migrations run as "${role.name}": the run would stop there. ` +
          "Let an administrator do it beforehand, and take it out of the migration or write IF NOT EXISTS.",
      });
  }
  return findings;
}
