import * as v from "valibot";
import { parseDuration } from "../util/duration.ts";

/** PostgreSQL keeps 63 bytes of a name (NAMEDATALEN - 1) and cuts the rest silently. */
const identifierBytes = 63;

/** Any legal PostgreSQL identifier: dashes, capitals, blanks and Unicode included. */
export const Identifier = v.pipe(
  v.string("a name"),
  v.check(
    (name) => name !== "" && !name.includes("\0") && Buffer.byteLength(name) <= identifierBytes,
    `a name of 1 to ${identifierBytes} bytes`,
  ),
);

/**
 * A database that Pulumi's postgresql provider connects to: it puts the name into a URL as it is, so `a%41b` leads to the
 * database "aAb", and a name is cut off at ? and #.
 */
export const AddressedName = v.pipe(
  Identifier,
  v.check(
    (name) => !/[%?#\p{Cc}]/u.test(name),
    "a name without %, ?, # and control characters (the postgresql provider would connect to another database)",
  ),
);

/** A role of a stack; PostgreSQL keeps the names that start with pg_, and "public", for itself. */
export const RoleName = v.pipe(
  Identifier,
  v.check(
    (name) => !/^pg_/.test(name) && name !== "public" && name !== "none",
    "a name that PostgreSQL does not reserve",
  ),
  v.check((name) => !name.includes("="), "a name without = (the postgresql provider cannot read it back)"),
);

/** Any printable password. */
export const Password = v.pipe(
  v.string("a text"),
  v.nonEmpty("a password that is not empty"),
  v.check((text) => !/\p{Cc}/u.test(text), "a password of printable characters"),
);

export const Port = v.pipe(
  v.number("a port number"),
  v.integer("a whole number"),
  v.minValue(1, "a port from 1 to 65535"),
  v.maxValue(65535, "a port from 1 to 65535"),
);

export const ConnectionLimit = v.pipe(
  v.number("a number"),
  v.integer("a whole number"),
  v.minValue(-1, "-1 (no limit) or more"),
);

const durationForm = "a duration such as 500ms, 30s, 5min, 1h (24d at most), or 0 for none";

/** A duration in PostgreSQL's units, read into milliseconds. */
export const Duration = v.pipe(
  v.union([v.string(), v.number()], durationForm),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const value = parseDuration(String(dataset.value));
    if (value !== undefined) return value;
    addIssue({ message: durationForm });
    return NEVER;
  }),
);

/** A list without doubles. */
export function unique<Item extends v.GenericSchema<string>>(item: Item) {
  return v.pipe(
    v.array(item, "a list"),
    v.check((list) => new Set(list).size === list.length, "a list without doubles"),
  );
}
