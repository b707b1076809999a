import type pg from "pg";
import { oneRow, rowsOf } from "../../postgres/rows.ts";
import { literal } from "../../postgres/sql.ts";

const chunkBytes = 4 * 2 ** 20;
const batchObjects = 200;

interface Size {
  readonly oid: number;
  readonly bytes: number;
}

/** Whether the database holds large objects. */
export async function hasLargeObjects(client: pg.Client): Promise<boolean> {
  return (await rowsOf(client, "SELECT FROM pg_largeobject_metadata LIMIT 1")).length > 0;
}

/** 262144 is INV_READ, 2 SEEK_END: https://www.postgresql.org/docs/current/lo-interfaces.html */
const sizes =
  "SELECT oid, lo_lseek64(lo_open(oid, 262144), 0, 2)::float8 AS bytes FROM pg_largeobject_metadata ORDER BY oid";

/** Large objects with their sizes in bytes, as the reader's snapshot has them. Their owners may read them, pg_largeobject only superusers. */
async function listSizes(source: pg.Client): Promise<Size[]> {
  return rowsOf<Size>(source, sizes);
}

const pieceBytes = 2 ** 20;

/** Number and order-free checksum of the pieces of every large object, as a query with the columns `rows` and `sum`. */
export const largeObjectSums = `
  SELECT count(*)::text AS rows, coalesce(sum(hash_record_extended(ROW(oid, piece, lo_get(oid, piece * ${pieceBytes}, ${pieceBytes})), 0)), 0)::text AS sum
  FROM (${sizes}) s CROSS JOIN LATERAL generate_series(0, (bytes / ${pieceBytes})::bigint) piece`;

async function copyInPieces(source: pg.Client, target: pg.Client, { oid, bytes }: Size): Promise<void> {
  await target.query("SELECT lo_create($1)", [oid]);
  for (let offset = 0; offset < bytes; offset += chunkBytes) {
    const piece = [oid, offset, chunkBytes];
    const { data } = await oneRow<{ data: Buffer }>(source, "SELECT lo_get($1, $2, $3) AS data", piece);
    await target.query("SELECT lo_put($1, $2, $3)", [oid, offset, data]);
  }
}

async function copyTogether(source: pg.Client, target: pg.Client, sizes: readonly Size[]): Promise<void> {
  const oids = sizes.map(({ oid }) => oid);
  const rows = await rowsOf<{ data: Buffer }>(
    source,
    "SELECT lo_get(oid) AS data FROM unnest($1::oid[]) WITH ORDINALITY o (oid, n) ORDER BY n",
    [oids],
  );
  await target.query(
    "SELECT count(lo_from_bytea(oid, data)) FROM unnest($1::oid[], $2::bytea[]) o (oid, data)",
    [oids, rows.map(({ data }) => data)],
  );
}

async function copyComments(source: pg.Client, target: pg.Client): Promise<void> {
  const rows = await rowsOf<{ oid: number; text: string }>(
    source,
    "SELECT objoid AS oid, description AS text FROM pg_description WHERE classoid = 'pg_largeobject'::regclass",
  );
  const statements = rows.map(({ oid, text }) => `COMMENT ON LARGE OBJECT ${oid} IS ${literal(text)}`);
  if (statements.length > 0) await target.query(statements.join(";\n"));
}

/** Copies every large object under its number. Returns how many there were. */
export async function copyLargeObjects(source: pg.Client, target: pg.Client): Promise<number> {
  const sizes = await listSizes(source);
  const small = sizes.filter(({ bytes }) => bytes <= 2 ** 16);
  for (let at = 0; at < small.length; at += batchObjects)
    await copyTogether(source, target, small.slice(at, at + batchObjects));
  for (const size of sizes) if (size.bytes > 2 ** 16) await copyInPieces(source, target, size);
  await copyComments(source, target);
  return sizes.length;
}
