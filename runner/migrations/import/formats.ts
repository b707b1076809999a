import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { decode } from "../files/checksum.ts";

/** One migration of another tool. */
export interface ForeignMigration {
  /** Its name there, such as `V1.2__add_users.sql`. */
  readonly source: string;
  /** The numbers that give its order, most significant first, in digits. */
  readonly version: readonly string[];
  readonly slug: string;
  readonly up: string;
  /** Undefined where there is none. */
  readonly down?: string | undefined;
  /** False where its tool runs it outside a transaction. */
  readonly transaction?: boolean;
}

/** How one tool keeps its migrations. */
export interface Format {
  readonly tool: string;
  /** What a folder of it holds, for messages. */
  readonly form: string;
  /** Reads a folder; undefined where none of it is this tool's. */
  readonly read: (folder: string) => ForeignMigration[] | undefined;
  /** What the tool replaces by a value as it runs a script. */
  readonly placeholder?: RegExp;
  /** Files of the folder that carry no migration, and what becomes of them. */
  readonly leftOut?: (folder: string) => string[];
}

const names = (folder: string) => readdirSync(folder).filter((name) => !name.startsWith("."));
const textOf = (path: string) => decode(readFileSync(path), path);

function sqlFiles(folder: string): string[] {
  return names(folder).filter((name) => name.endsWith(".sql") && statSync(join(folder, name)).isFile());
}

function read(folder: string, file: string | undefined): string | undefined {
  const path = file === undefined ? undefined : join(folder, file);
  return path !== undefined && statSync(path, { throwIfNoEntry: false })?.isFile() ? textOf(path) : undefined;
}

/** Reads every name of a folder that fits; undefined where none does. */
function each(
  folder: string,
  form: RegExp,
  migrationOf: (name: string, parts: Record<string, string>) => ForeignMigration | undefined,
): ForeignMigration[] | undefined {
  const found = names(folder).flatMap((name) => {
    const parts = name.match(form)?.groups;
    const migration = parts === undefined ? undefined : migrationOf(name, parts);
    return migration === undefined ? [] : [migration];
  });
  return found.length === 0 ? undefined : found;
}

/** https://documentation.red-gate.com/flyway/flyway-concepts/migrations */
const flyway: Format = {
  tool: "Flyway",
  form: "V1__name.sql, and U1__name.sql to undo it",
  read: (folder) =>
    each(
      folder,
      /^[VB](?<version>\d+(?:[._]\d+)*)__(?<slug>.+)\.sql$/,
      (source, { version = "", slug = "" }) => {
        const undo = sqlFiles(folder).find((name) => name.startsWith(`U${version}__`));
        const up = read(folder, source);
        if (up === undefined) return undefined;
        return { source, version: version.split(/[._]/), slug, up, down: read(folder, undo) };
      },
    ),
  placeholder: /\$\{[^}\n]+\}/,
  leftOut: (folder) => sqlFiles(folder).filter((name) => /^R__/.test(name)),
};

/** A file whose two directions follow marker lines. */
function marked(folder: string, up: RegExp, down: RegExp): ForeignMigration[] | undefined {
  return each(folder, /^(?<version>\d+)[_-](?<slug>.+)\.sql$/, (source, { version = "", slug = "" }) => {
    const text = read(folder, source) ?? "";
    const [begins, ends] = [text.match(up), text.match(down)];
    if (begins?.index === undefined) return undefined;
    const upEnd = ends?.index !== undefined && ends.index > begins.index ? ends.index : text.length;
    return {
      source,
      version: [version],
      slug,
      up: text.slice(begins.index + begins[0].length, upEnd),
      down: ends?.index === undefined ? undefined : text.slice(ends.index + ends[0].length),
      transaction: !/transaction:\s*false/.test(begins[0]),
    };
  });
}

/** https://github.com/amacneil/dbmate#migration-options */
const dbmate: Format = {
  tool: "dbmate",
  form: "20240101000000_name.sql with -- migrate:up and -- migrate:down",
  read: (folder) => marked(folder, /^--\s*migrate:up\b.*$/m, /^--\s*migrate:down\b.*$/m),
};

/** https://salsita.github.io/node-pg-migrate/migrations/ */
const nodePgMigrate: Format = {
  tool: "node-pg-migrate",
  form: "1700000000000_name.sql with -- Up Migration and -- Down Migration",
  read: (folder) => marked(folder, /^\s*--[\s-]*up\s+migration.*$/im, /^\s*--[\s-]*down\s+migration.*$/im),
};

/** https://github.com/golang-migrate/migrate/blob/master/MIGRATIONS.md */
const golangMigrate: Format = {
  tool: "golang-migrate",
  form: "1_name.up.sql and 1_name.down.sql",
  read: (folder) =>
    each(folder, /^(?<version>\d+)_(?<slug>.+)\.up\.sql$/, (source, { version = "", slug = "" }) => {
      const down = read(folder, source.replace(/\.up\.sql$/, ".down.sql"));
      return { source, version: [version], slug, up: read(folder, source) ?? "", down };
    }),
};

/** https://docs.rs/diesel_migrations */
const diesel: Format = {
  tool: "Diesel",
  form: "2024-01-01-000000_name/up.sql and down.sql",
  read: (folder) =>
    each(folder, /^(?<version>[\d-]+)_(?<slug>.+)$/, (source, { version = "", slug = "" }) => {
      const place = join(folder, source);
      const up = read(place, "up.sql");
      if (up === undefined) return undefined;
      const transaction = !/run_in_transaction\s*=\s*false/.test(read(place, "metadata.toml") ?? "");
      const digits = version.replaceAll("-", "");
      return { source, version: [digits], slug, up, down: read(place, "down.sql"), transaction };
    }),
};

/** https://www.prisma.io/docs/orm/prisma-migrate */
const prisma: Format = {
  tool: "Prisma",
  form: "20240101000000_name/migration.sql",
  read: (folder) =>
    each(folder, /^(?<version>\d+)_(?<slug>.+)$/, (source, { version = "", slug = "" }) => {
      const up = read(join(folder, source), "migration.sql");
      return up === undefined ? undefined : { source, version: [version], slug, up };
    }),
};

/** Every tool whose migrations can be imported. */
export const formats: readonly Format[] = [flyway, dbmate, nodePgMigrate, golangMigrate, diesel, prisma];
