-- migrate: up
CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, email citext NOT NULL UNIQUE);
-- migrate: down
DROP TABLE users;
