import { type ConnectionSettings, withClient } from "../../runner/postgres/connection.ts";

/** Rows that make about one megabyte of database, indexes included, by table. */
const rowsPerMegabyte = { events: 620, plays: 1300, notes: 48 };

/** The tables of the source: one with 60 % of the bytes and four indexes, a narrow one, one of long texts. */
const schema = `
  CREATE TABLE events (id bigint NOT NULL, guild int NOT NULL, at timestamptz NOT NULL, payload jsonb NOT NULL);
  CREATE TABLE plays (id bigint NOT NULL, guild int NOT NULL, seconds int NOT NULL, what text NOT NULL);
  CREATE TABLE notes (id bigint NOT NULL, body jsonb NOT NULL)`;

const rowsOf = {
  events: `SELECT g, g % 5000, '2024-01-01'::timestamptz + g * interval '7 seconds', jsonb_build_object(
      'kind', (ARRAY['play', 'join', 'leave', 'award'])[1 + g % 4], 'guild', g % 5000, 'user', md5((g % 90000)::text),
      'message', md5(g::text) || ' ' || md5((g * 3)::text) || ' ' || repeat('the quick brown fox jumps ', (3 + g % 9)::int),
      'scores', jsonb_build_array(g % 7, g % 11, g % 13, g % 17), 'trace', repeat(md5((g * 7)::text), 8))`,
  plays: "SELECT g, g % 5000, g % 600, 'title number ' || md5((g % 40000)::text) || ' by ' || g % 3000",
  notes: `SELECT g, jsonb_build_object('title', md5(g::text), 'body',
      (SELECT string_agg(md5((g * 100 + n)::text), ' ') FROM generate_series(1, 120) n))`,
};

const indexes = `
  ALTER TABLE events ADD PRIMARY KEY (id);
  CREATE INDEX events_guild_at ON events (guild, at);
  CREATE INDEX events_at ON events (at);
  CREATE INDEX events_payload ON events USING gin (payload jsonb_path_ops);
  ALTER TABLE plays ADD PRIMARY KEY (id);
  CREATE INDEX plays_guild ON plays (guild);
  ALTER TABLE notes ADD PRIMARY KEY (id)`;

/** Fills an empty database with about that many megabytes. */
export async function fillSource(database: ConnectionSettings, megabytes: number): Promise<void> {
  await withClient(database, async (client) => {
    await client.query(schema);
    for (const [table, select] of Object.entries(rowsOf)) {
      const rows = Math.round(megabytes * rowsPerMegabyte[table as keyof typeof rowsOf]);
      await client.query(`INSERT INTO ${table} ${select} FROM generate_series(1::bigint, ${rows}) g`);
    }
    await client.query("SET maintenance_work_mem = '256MB'");
    await client.query(indexes);
    await client.query("VACUUM ANALYZE");
    await client.query("CHECKPOINT");
  });
}

/** What two databases must have in common to hold the same: rows and a checksum of them, by table. */
export async function contentOf(database: ConnectionSettings): Promise<string> {
  return withClient(database, async (client) => {
    const parts = Object.keys(rowsOf).map(
      (table) => `SELECT '${table}' AS name, count(*), sum(hashtextextended(t::text, 0)) FROM ${table} t`,
    );
    return JSON.stringify((await client.query(`${parts.join(" UNION ALL ")} ORDER BY 1`)).rows);
  });
}
