-- People, whom they block, and how guilds see them.
CREATE TABLE users (
  xid bigint PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  name varchar(100) NOT NULL,
  banned boolean NOT NULL DEFAULT false,
  last_played_at timestamptz
);

CREATE TABLE blocks (
  user_xid bigint NOT NULL REFERENCES users (xid) ON DELETE CASCADE,
  blocked_user_xid bigint NOT NULL REFERENCES users (xid) ON DELETE CASCADE,
  PRIMARY KEY (user_xid, blocked_user_xid),
  CONSTRAINT blocks_self_check CHECK (user_xid <> blocked_user_xid)
);
CREATE INDEX blocks_blocked_user_xid_idx ON blocks (blocked_user_xid);

CREATE TABLE verifications (
  guild_xid bigint NOT NULL REFERENCES guilds (xid) ON DELETE CASCADE,
  user_xid bigint NOT NULL REFERENCES users (xid) ON DELETE CASCADE,
  verified boolean NOT NULL DEFAULT false,
  PRIMARY KEY (guild_xid, user_xid)
);

CREATE TABLE watches (
  guild_xid bigint NOT NULL REFERENCES guilds (xid) ON DELETE CASCADE,
  user_xid bigint NOT NULL REFERENCES users (xid) ON DELETE CASCADE,
  note varchar(1024),
  PRIMARY KEY (guild_xid, user_xid)
);
