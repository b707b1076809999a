-- The status of a game gets names instead of the numbers 1 (pending) and 2 (started).
-- migrate: up
CREATE TYPE game_status AS ENUM ('pending', 'started', 'expired');

ALTER TABLE games ALTER COLUMN status DROP DEFAULT;
-- lint: allow change-column-type because the table held some thousand rows
ALTER TABLE games ALTER COLUMN status TYPE game_status
  USING (CASE status WHEN 1 THEN 'pending' ELSE 'started' END)::game_status;
ALTER TABLE games ALTER COLUMN status SET DEFAULT 'pending';

-- migrate: down
ALTER TABLE games ALTER COLUMN status DROP DEFAULT;
ALTER TABLE games ALTER COLUMN status TYPE smallint USING CASE status WHEN 'pending' THEN 1 ELSE 2 END;
ALTER TABLE games ALTER COLUMN status SET DEFAULT 1;
DROP TYPE game_status;
