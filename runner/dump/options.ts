import { availableParallelism } from "node:os";
import type { DumpConfig } from "../config/dump.ts";
import type { Programs } from "../postgres/programs.ts";
import { RefusedError } from "../util/errors.ts";

/** What a dump holds and how it is written. */
export interface DumpOptions {
  readonly format: DumpConfig["format"];
  /** Parallel processes; pg_dump takes more than one only for the directory format. */
  readonly jobs: number;
  /** `none`, `gzip:1` to `gzip:9`, `zstd` or `lz4`. */
  readonly compression: string;
  readonly schemaOnly: boolean;
  /** Patterns as pg_dump's --table takes them; empty: everything. */
  readonly tables: readonly string[];
  /** Patterns of tables whose rows stay behind. */
  readonly excludeTableData: readonly string[];
}

/** How many processes `auto` (half of the cores), `max` (all of them) or a number stands for; at least one. */
export function jobsOf(jobs: DumpConfig["jobs"], cores: number = availableParallelism()): number {
  if (jobs === "auto") return Math.max(1, Math.floor(cores / 2));
  return jobs === "max" ? Math.max(1, cores) : jobs;
}

/**
 * pg_dump's argument for a compression: a bare gzip level up to version 15, method:level from 16 on.
 * https://www.postgresql.org/docs/16/app-pgdump.html#PG-DUMP-COMPRESS
 */
export function compressArgument(compression: string, { major, version }: Programs): string {
  if (major >= 16) return `--compress=${compression}`;
  const level =
    compression === "none" ? "0" : compression === "gzip" ? "6" : compression.match(/^gzip:(\d)$/)?.[1];
  if (level === undefined)
    throw new RefusedError(
      `compression ${compression} needs pg_dump 16 or newer; found ${version}, which has none and gzip:1 to gzip:9`,
    );
  return `--compress=${level}`;
}

/** pg_dump's arguments. The database and its password are in the environment, never here. */
export function dumpArguments(options: DumpOptions, programs: Programs, file: string): string[] {
  return [
    `--format=${options.format}`,
    `--file=${file}`,
    "--no-acl",
    "--no-owner",
    "--verbose",
    "--no-sync", // the dump is synced as it is read back
    "--lock-wait-timeout=30s",
    compressArgument(options.compression, programs),
    ...(options.format === "directory" ? [`--jobs=${options.jobs}`] : []),
    ...(options.schemaOnly ? ["--schema-only"] : []),
    ...options.tables.map((pattern) => `--table=${pattern}`),
    ...options.excludeTableData.map((pattern) => `--exclude-table-data=${pattern}`),
  ];
}
