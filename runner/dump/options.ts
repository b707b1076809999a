import { availableParallelism } from "node:os";
import type { Programs } from "../postgres/programs.ts";
import { RefusedError } from "../util/errors.ts";

/** pg_dump's archive formats that can be restored selectively and in parallel. */
export const dumpFormats = ["custom", "directory"] as const;
export type DumpFormat = (typeof dumpFormats)[number];

/** What a dump holds and how it is written. */
export interface DumpOptions {
  readonly format: DumpFormat;
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

/** Fast to write and never slower to read than pg_dump's own default (gzip, level 6). */
export const defaultCompression = "gzip:1";

const compressionForm = /^(none|gzip:[1-9]|gzip|zstd|lz4)$/;

/** Reads a number of processes: `auto` is half of the cores, `max` is all of them; at least one. */
export function jobsOf(value: string | number, cores: number = availableParallelism()): number {
  if (value === "auto") return Math.max(1, Math.floor(cores / 2));
  if (value === "max") return Math.max(1, cores);
  const jobs = Number(value);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 256)
    throw new RefusedError(`jobs is auto, max or a number from 1 to 256; found "${value}"`);
  return jobs;
}

/** Checks the name of a format. */
export function formatOf(value: string): DumpFormat {
  if (!dumpFormats.includes(value as DumpFormat))
    throw new RefusedError(`format is one of ${dumpFormats.join(", ")}; found "${value}"`);
  return value as DumpFormat;
}

/** Checks the name of a compression, without asking whether the installed pg_dump has it. */
export function compressionOf(value: string): string {
  if (!compressionForm.test(value))
    throw new RefusedError(`compression is one of none, gzip:1 to gzip:9, zstd, lz4; found "${value}"`);
  return value;
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
