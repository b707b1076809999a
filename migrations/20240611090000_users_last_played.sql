-- When each person played last; filled from the games that were played.
-- migrate: up
ALTER TABLE users ADD COLUMN last_played_at timestamptz;

UPDATE users
   SET last_played_at = played.at
  FROM (SELECT plays.user_xid, max(games.started_at) AS at
          FROM plays JOIN games ON games.id = plays.game_id
         GROUP BY plays.user_xid) AS played
 WHERE played.user_xid = users.xid;

-- migrate: down
ALTER TABLE users DROP COLUMN last_played_at;
