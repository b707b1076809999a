-- Games of channels that nobody has told us of get a channel without a name, so that the reference holds.
-- migrate: up
INSERT INTO channels (xid, guild_xid)
SELECT DISTINCT ON (channel_xid) channel_xid, guild_xid FROM games
ON CONFLICT (xid) DO NOTHING;

ALTER TABLE games
  ADD CONSTRAINT games_channel_xid_fkey FOREIGN KEY (channel_xid) REFERENCES channels (xid) ON DELETE CASCADE NOT VALID;
ALTER TABLE games VALIDATE CONSTRAINT games_channel_xid_fkey;
CREATE INDEX games_channel_xid_idx ON games (channel_xid);

-- migrate: down
DROP INDEX games_channel_xid_idx;
ALTER TABLE games DROP CONSTRAINT games_channel_xid_fkey;
