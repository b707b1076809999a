-- The database keeps updated_at, so that no client can forget it.
-- migrate: up
CREATE FUNCTION touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END;
$$;

CREATE TRIGGER guilds_touch BEFORE UPDATE ON guilds FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER channels_touch BEFORE UPDATE ON channels FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER users_touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER games_touch BEFORE UPDATE ON games FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- migrate: down
DROP TRIGGER games_touch ON games;
DROP TRIGGER users_touch ON users;
DROP TRIGGER channels_touch ON channels;
DROP TRIGGER guilds_touch ON guilds;
DROP FUNCTION touch_updated_at();
