const creation =
  /^(CREATE SEQUENCE .*?)( AS \w+) INCREMENT BY 1 MINVALUE 1 MAXVALUE (\d+) START WITH 1 CACHE 1 NO CYCLE$/s;

const largest: Readonly<Record<string, string>> = {
  " AS smallint": "32767",
  " AS integer": "2147483647",
  " AS bigint": "9223372036854775807",
};

/** A sequence as a person makes it: the planner says each option, also where it is as PostgreSQL has it anyway. */
export function withPlainOptions(sql: string): string {
  return sql.replace(creation, (whole, head: string, type: string, max: string) =>
    largest[type] === max ? `${head}${type.replace(" AS bigint", "")}` : whole,
  );
}
