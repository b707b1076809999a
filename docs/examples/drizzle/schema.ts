import { bigint, index, integer, pgEnum, pgTable, serial, text, timestamp } from "drizzle-orm/pg-core";

export const status = pgEnum("status", ["open", "started", "closed"]);

export const guilds = pgTable("guilds", {
  xid: bigint({ mode: "bigint" }).primaryKey(),
  name: text().notNull(),
});

export const games = pgTable(
  "games",
  {
    id: serial().primaryKey(),
    guildXid: bigint("guild_xid", { mode: "bigint" })
      .notNull()
      .references(() => guilds.xid, { onDelete: "cascade" }),
    status: status().notNull().default("open"),
    seats: integer().notNull().default(4),
    startedAt: timestamp("started_at", { withTimezone: true }),
  },
  (table) => [index("ix_games_guild_xid").on(table.guildXid)],
);
