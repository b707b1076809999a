-- Who is known to a guild, and whom its moderators keep an eye on.
-- migrate: up
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

ALTER TABLE channels
  ADD COLUMN unverified_only boolean NOT NULL DEFAULT false,
  ADD COLUMN verified_only boolean NOT NULL DEFAULT false;

-- migrate: down
ALTER TABLE channels
  DROP COLUMN verified_only,
  DROP COLUMN unverified_only;
DROP TABLE watches;
DROP TABLE verifications;
