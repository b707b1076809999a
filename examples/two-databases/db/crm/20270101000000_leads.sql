-- migrate: up
CREATE TABLE leads (id bigint PRIMARY KEY, company text NOT NULL);
-- migrate: down
DROP TABLE leads;
