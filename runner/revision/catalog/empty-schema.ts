import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deserializeSnapshot, type FactBase, serializeSnapshot } from "@supabase/pg-delta/core";
import type pg from "pg";
import type { ScratchServer } from "../../scratch/server.ts";
import { packageRoot } from "../../util/project.ts";
import { managedView } from "./managed-view.ts";
import { readCatalog } from "./read.ts";

function readerVersion(): string {
  const { dependencies } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  return dependencies["@supabase/pg-delta"];
}

async function read(client: pg.Client): Promise<FactBase> {
  return managedView((await readCatalog(client)).facts, []);
}

/** What an empty database holds; of our own servers it is always the same, so it is read once and kept beside the template. */
export async function emptySchema(server: ScratchServer, client: pg.Client): Promise<FactBase> {
  if (server.kept === undefined) return read(client);
  const file = join(server.kept, `empty-${readerVersion()}.json`);
  if (existsSync(file)) return deserializeSnapshot(readFileSync(file, "utf8")).factBase;
  const facts = await read(client);
  const unique = `${file}.${randomBytes(6).toString("hex")}`;
  writeFileSync(unique, serializeSnapshot(facts, { pgVersion: "" }));
  renameSync(unique, file);
  return facts;
}
