/**
 * A schema with whatever tends to break a copy: extensions, identities, generated columns, partitions two levels deep,
 * functions and materialized views that rely on the search path, large objects, row security, odd names, event
 * triggers, foreign servers. It needs the roles own, app and third, and a superuser.
 */
export const richDatabase = `
create extension hstore; create extension citext; 
create extension postgres_fdw; create server srv foreign data wrapper postgres_fdw options (host 'x');
grant create on schema public to own;
create schema app authorization own; create schema "We ird" authorization third;
create type app.mood as enum ('a','b','c''d'); create domain app.pos as int check (value>0);
create type app.comp as (a int, b text);
create table app.users(id int generated always as identity primary key, email citext, m app.mood default 'a', tags hstore, c app.comp, arr int[], ma app.mood[], price numeric(10,2), f float8, j jsonb, b bytea, ts timestamptz default now(), iv interval, double_f float8 generated always as (f*2) stored, p app.pos);
insert into app.users(email,tags,c,arr,ma,price,f,j,b,iv,p) select 'u'||i||'@x','a=>1',row(i,'x')::app.comp,array[i,2],array['a','b']::app.mood[], i/3.0, i/7.0::float8, '{"a":1}', '\\x00ff', '1 day 2h', i+1 from generate_series(1,500) i;
create table app.parent(id int, r int, t text, primary key(id,r)) partition by range(id);
create table app.p1 partition of app.parent for values from (0) to (100) partition by list(r);
create table app.p1a partition of app.p1 for values in (1);
create table app.p1b partition of app.p1 default;
create table app.p2 partition of app.parent default;
insert into app.parent select i, i%3, 'x' from generate_series(1,300) i;
create table app.orders(id bigserial primary key, user_id int references app.users(id) on delete cascade, pid int, pr int, foreign key (pid,pr) references app.parent(id,r), note text);
insert into app.orders(user_id,pid,pr) select i%500+1, i%300+1, (i%300+1)%3 from generate_series(1,1000) i;
create index on app.orders(user_id); create index on app.orders(lower(note)); create unique index on app.users(email);
create table "We ird"."Ta ble"("Co l" text, "ünï" text); insert into "We ird"."Ta ble" values (E'tab\\there\\\\n','ü'),(null,''),(E'\\\\N','x');
create table public.nocols(); insert into public.nocols default values; insert into public.nocols default values;
create unlogged table app.unlog(x int); insert into app.unlog values(1);
set search_path=app,public;
create function app.lookup() returns bigint language sql stable as 'select count(*) from users';
create materialized view app.mv as select app.lookup() as n; create materialized view app.mv2 as select * from app.mv; create unique index on app.mv2(n);
create view app.v as select id,email from app.users;
create function app.trg() returns trigger language plpgsql as $$ begin new.note := coalesce(new.note,'t'); return new; end $$;
create trigger tg before insert on app.orders for each row execute function app.trg();
alter table app.orders disable trigger tg;
create rule ru as on delete to app.unlog do instead nothing;
alter table app.users enable row level security; create policy po on app.users to app using (id<3);
create statistics app.st on user_id,pid from app.orders;
create sequence app.down increment -1; select nextval('app.down'),nextval('app.down');
create function app.secret() returns int language sql security definer as 'select 1'; revoke execute on function app.secret() from public;
create operator app.=== (leftarg=int,rightarg=int,function=int4eq);
create aggregate app.agg(int) (sfunc=int4pl, stype=int);
create publication pub for table app.users; comment on table app.users is 'Users''table'; comment on column app.users.email is 'x';
create function app.evt() returns event_trigger language plpgsql as $$ begin end $$;
create event trigger et on ddl_command_end execute function app.evt();

create table app.wide(x text, d app.comp[]); insert into app.wide values (repeat('y',100000), null);
alter table app.orders add constraint ck check (id > 0) not valid;
grant select on app.users to app; grant select(email) on app.users to third; grant usage on sequence app.orders_id_seq to app, third;
alter table app.users owner to own; alter table app.orders owner to own; alter table app.parent owner to own; alter table app.p1 owner to own; alter table app.p1a owner to third; alter function app.lookup() owner to own; alter materialized view app.mv owner to own; alter type app.mood owner to own; alter domain app.pos owner to third; alter server srv owner to own; alter publication pub owner to own;
select lo_from_bytea(0,'hello'); select lo_from_bytea(0,repeat('x',300000)::bytea);
do $$ declare o oid; begin o := lo_create(0); perform lo_put(o, 0, 'abc'); execute format('alter large object %s owner to own', o); execute format('grant select on large object %s to app', o); execute format('comment on large object %s is %L', o, 'it''s'); end $$;
`;
