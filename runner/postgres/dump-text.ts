/** How pg_dump and pg_restore introduce an object in a script. */
export interface DumpHeader {
  /** Such as TABLE, TABLE DATA, INDEX, FK CONSTRAINT. */
  readonly type: string;
  /** Null for what lives in no schema. */
  readonly schema: string | null;
  readonly name: string;
  readonly tablespace: string | null;
}

/** An object of a script, with the SQL that makes it. */
export interface DumpTextEntry extends DumpHeader {
  readonly sql: string;
}

const header =
  "-- (?:Data for )?Name: (?<name>.*); Type: (?<type>.*); Schema: (?<schema>.*?); Owner: .*?(?:; Tablespace: (?<tablespace>.*))?";
const headerLine = new RegExp(`^${header}$`);
const headerBlock = new RegExp(`^--\\n${header}\\n--\\n`, "gm");

function headerOf({
  name = "",
  type = "",
  schema = "-",
  tablespace,
}: Partial<Record<string, string>>): DumpHeader {
  return { name, type, schema: schema === "-" ? null : schema, tablespace: tablespace ?? null };
}

/** Reads the comment line that introduces an object; undefined for every other line. Pure. */
export function readDumpHeader(line: string): DumpHeader | undefined {
  const found = line.match(headerLine);
  return found === null ? undefined : headerOf(found.groups ?? {});
}

/** Cuts a script of pg_dump or pg_restore at the comments that introduce its objects. What comes before the first is left out. Pure. */
export function splitDumpText(text: string): DumpTextEntry[] {
  const heads = [...text.matchAll(headerBlock)];
  return heads.map((head, at) => ({
    ...headerOf(head.groups ?? {}),
    sql: text.slice(head.index + head[0].length, heads[at + 1]?.index).trim(),
  }));
}
