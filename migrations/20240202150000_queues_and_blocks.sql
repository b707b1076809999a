-- Who waits for which game, and who does not want to meet whom.
-- migrate: up
CREATE TABLE queues (
  user_xid bigint PRIMARY KEY REFERENCES users (xid) ON DELETE CASCADE,
  game_id integer NOT NULL REFERENCES games (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX queues_game_id_idx ON queues (game_id);

CREATE TABLE blocks (
  user_xid bigint NOT NULL REFERENCES users (xid) ON DELETE CASCADE,
  blocked_user_xid bigint NOT NULL REFERENCES users (xid) ON DELETE CASCADE,
  PRIMARY KEY (user_xid, blocked_user_xid),
  CONSTRAINT blocks_self_check CHECK (user_xid <> blocked_user_xid)
);
CREATE INDEX blocks_blocked_user_xid_idx ON blocks (blocked_user_xid);

-- migrate: down
DROP TABLE blocks;
DROP TABLE queues;
