-- What the history command shows of a person.
-- migrate: up
CREATE VIEW player_stats AS
SELECT users.xid AS user_xid,
       users.name,
       games.guild_xid,
       count(*) AS games,
       sum(plays.points) AS points,
       max(games.started_at) AS last_game_at
  FROM plays
  JOIN users ON users.xid = plays.user_xid
  JOIN games ON games.id = plays.game_id
 WHERE games.status = 'started'
 GROUP BY users.xid, users.name, games.guild_xid;

-- migrate: down
DROP VIEW player_stats;
