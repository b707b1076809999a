-- A search for a seat looks at pending games alone, which are few.
-- migrate: up transaction=off
CREATE INDEX CONCURRENTLY games_pending_idx ON games (guild_xid, seats) WHERE status = 'pending';

-- migrate: down transaction=off
DROP INDEX CONCURRENTLY games_pending_idx;
