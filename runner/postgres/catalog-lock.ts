import { setTimeout } from "node:timers/promises";
import type pg from "pg";
import { advisoryTransactionLock } from "./advisory-lock.ts";
import { withTransaction } from "./connection.ts";

/** Everything of pgstack that changes rights in one database takes this advisory lock ("pgstack", as a number). */
const lock = 0x70_67_73_74n;
const attempts = 8;

/** What PostgreSQL says when two sessions change one catalog row, as another program may do beside us. */
function isCatalogRace(error: unknown): boolean {
  const { code, message, schema } = error as pg.DatabaseError;
  return (
    code === "40P01" ||
    code === "40001" ||
    (code === "XX000" && /tuple concurrently|cache lookup failed/.test(message)) ||
    (code === "23505" && schema === "pg_catalog")
  );
}

/**
 * Runs `use` in one transaction that no other of pgstack runs beside, and again from the start where another
 * program's change of the catalogs got in between.
 */
export async function withCatalogLock<T>(client: pg.Client, use: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await withTransaction(client, async () => {
        await client.query(`${catalogSettings}; SET LOCAL statement_timeout = 0`);
        await advisoryTransactionLock(client, lock);
        return use();
      });
    } catch (error) {
      if (attempt === attempts || !isCatalogRace(error)) throw error;
      await setTimeout(20 * 2 ** attempt * (0.5 + Math.random()));
    }
  }
}

/**
 * What a transaction sets before it reads catalogs: names mean PostgreSQL's own, and the server does not compile queries
 * that look dear to it and are not, which takes ten times as long as to run them.
 */
export const catalogSettings = "SET LOCAL search_path = pg_catalog; SET LOCAL jit = off";
