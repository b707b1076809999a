import pg from "pg";

const client = new pg.Client(process.env.DATABASE_URL);
await client.connect();
await client.query("INSERT INTO orders (item) VALUES ('a book')");
const { rows } = await client.query("SELECT count(*)::int AS orders FROM orders");
process.stdout.write(`orders: ${rows[0].orders}\n`);
await client.end();
