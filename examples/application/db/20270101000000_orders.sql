-- migrate: up
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item text NOT NULL);
-- migrate: down
DROP TABLE orders;
