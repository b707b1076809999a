-- Servers of Discord, their channels, and the people on them. A xid is Discord's own id.
-- migrate: up
CREATE TABLE guilds (
  xid bigint PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  name varchar(100) NOT NULL,
  motd varchar(255),
  show_links boolean NOT NULL DEFAULT false
);

CREATE TABLE channels (
  xid bigint PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  guild_xid bigint NOT NULL REFERENCES guilds (xid) ON DELETE CASCADE,
  name varchar(100),
  default_seats integer NOT NULL DEFAULT 4,
  auto_verify boolean NOT NULL DEFAULT false,
  CONSTRAINT channels_default_seats_check CHECK (default_seats BETWEEN 2 AND 4)
);
CREATE INDEX channels_guild_xid_idx ON channels (guild_xid);

CREATE TABLE users (
  xid bigint PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  name varchar(100) NOT NULL,
  banned boolean NOT NULL DEFAULT false
);

-- migrate: down
DROP TABLE users;
DROP TABLE channels;
DROP TABLE guilds;
