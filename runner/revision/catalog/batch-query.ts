import type pg from "pg";

type Answers = ReadonlyMap<string, pg.QueryResult>;

/** The answers to statements, in their order, by one message there and one back. */
export async function inOneMessage(
  client: pg.Client,
  statements: readonly string[],
): Promise<pg.QueryResult[]> {
  const answer: unknown = await client.query(statements.join("\n;\n"));
  return (Array.isArray(answer) ? answer : [answer]) as pg.QueryResult[];
}

/** The answers to many queries, each one statement. */
export async function askAtOnce(client: pg.Client, queries: readonly string[]): Promise<Answers> {
  const answers = queries.length === 0 ? [] : await inOneMessage(client, queries);
  return new Map(answers.map((answer, index) => [queries[index] ?? "", answer]));
}

/** The names under which a connection keeps the plans of queries. */
const plans = new WeakMap<pg.Client, Map<string, string>>();

/** The same, but the connection keeps each query's plan: most of the time goes into making them. */
export async function planOnce(client: pg.Client, queries: readonly string[]): Promise<Answers> {
  const known = plans.get(client) ?? new Map<string, string>();
  plans.set(client, known);
  const fresh = queries.filter((query) => !known.has(query));
  for (const query of fresh) known.set(query, `reader_${known.size}`);
  const statements = [
    ...fresh.map((query) => `PREPARE ${known.get(query)} AS ${query}`),
    ...queries.map((query) => `EXECUTE ${known.get(query)}`),
  ];
  const answers = (await inOneMessage(client, statements)).slice(fresh.length);
  return new Map(answers.map((answer, index) => [queries[index] ?? "", answer]));
}
