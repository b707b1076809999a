import { isMadeByItself } from "../../../postgres/sql.ts";

/**
 * Queries for the kinds of objects that pg-delta knows but by name. Each gives `key`, `parent` (pg-delta's id,
 * as JSON, or null), the statements that make the object, the one that drops it, and its row in the catalog.
 * They run with `search_path` = pg_catalog, so that every name of the user's is qualified.
 */

/** After initdb numbers start here (FirstNormalObjectId in access/transam.h). */
const made = (catalog: string, oid: string) => `${oid} >= 16384 AND ${isMadeByItself(catalog, oid)}`;

const inSchema = "json_build_object('kind', 'schema', 'name', n.nspname)";
const routine = (oid: string) => `${oid}::regprocedure::text`;
const operator = (oid: string) =>
  `(SELECT format('OPERATOR(%I.%s)', on_.nspname, oo.oprname) FROM pg_operator oo JOIN pg_namespace on_ ON on_.oid = oo.oprnamespace WHERE oo.oid = ${oid})`;
/** A function without its arguments, as the options of CREATE OPERATOR and its like take it. */
const functionName = (oid: string) =>
  `(SELECT format('%I.%I', fn.nspname, f.proname) FROM pg_proc f JOIN pg_namespace fn ON fn.oid = f.pronamespace WHERE f.oid = ${oid})`;
const option = (name: string, value: string, present: string) =>
  `CASE WHEN ${present} THEN ', ${name} = ' || ${value} ELSE '' END`;

/** The columns of a statistics object as its definition lists them; null where it has expressions alone. */
const statisticsColumns = (order: string) =>
  `(SELECT ' ON ' || string_agg(quote_ident(a.attname), ', ' ORDER BY ${order}) FROM pg_attribute a WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys))`;

/** PostgreSQL shows the columns in their order in the table, where one that was dropped and added again is the last. */
const withColumnsByName = `coalesce(replace(pg_get_statisticsobjdef(s.oid), ${statisticsColumns("a.attnum")}, ${statisticsColumns("a.attname")}), pg_get_statisticsobjdef(s.oid))`;

const statistics = `
  SELECT 'statistics ' || format('%I.%I', n.nspname, s.stxname),
         json_build_object('kind', CASE c.relkind WHEN 'm' THEN 'materializedView' WHEN 'f' THEN 'foreignTable' ELSE 'table' END,
                           'schema', cn.nspname, 'name', c.relname),
         ARRAY[${withColumnsByName}],
         format('DROP STATISTICS %I.%I', n.nspname, s.stxname),
         'pg_statistic_ext'::regclass::oid, s.oid
  FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
  JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
  WHERE ${made("pg_statistic_ext", "s.oid")}`;

const operators = `
  SELECT 'operator ' || o.oid::regoperator, ${inSchema},
         ARRAY[format('CREATE OPERATOR %I.%s (FUNCTION = %s', n.nspname, o.oprname, ${functionName("o.oprcode")})
           || ${option("LEFTARG", "format_type(o.oprleft, NULL)", "o.oprleft <> 0")}
           || ${option("RIGHTARG", "format_type(o.oprright, NULL)", "o.oprright <> 0")}
           || ${option("COMMUTATOR", operator("o.oprcom"), "o.oprcom <> 0")}
           || ${option("NEGATOR", operator("o.oprnegate"), "o.oprnegate <> 0")}
           || ${option("RESTRICT", functionName("o.oprrest"), "o.oprrest <> 0")}
           || ${option("JOIN", functionName("o.oprjoin"), "o.oprjoin <> 0")}
           || CASE WHEN o.oprcanhash THEN ', HASHES' ELSE '' END || CASE WHEN o.oprcanmerge THEN ', MERGES' ELSE '' END || ')'],
         format('DROP OPERATOR %I.%s (%s, %s)', n.nspname, o.oprname,
                CASE o.oprleft WHEN 0 THEN 'NONE' ELSE format_type(o.oprleft, NULL) END, format_type(o.oprright, NULL)),
         'pg_operator'::regclass::oid, o.oid
  FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
  WHERE o.oprcode <> 0 AND ${made("pg_operator", "o.oid")}`;

const casts = `
  SELECT format('cast (%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)), NULL::json,
         ARRAY[format('CREATE CAST (%s AS %s) ', format_type(c.castsource, NULL), format_type(c.casttarget, NULL))
           || CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || ${routine("c.castfunc")} WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END
           || CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' ELSE '' END],
         format('DROP CAST (%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)),
         'pg_cast'::regclass::oid, c.oid
  FROM pg_cast c WHERE ${made("pg_cast", "c.oid")}`;

const families = `
  SELECT format('operator family %I.%I USING %I', n.nspname, f.opfname, a.amname), ${inSchema},
         ARRAY[format('CREATE OPERATOR FAMILY %I.%I USING %I', n.nspname, f.opfname, a.amname)]
         || ARRAY(SELECT format('ALTER OPERATOR FAMILY %I.%I USING %I ADD ', n.nspname, f.opfname, a.amname) || m.text
                  FROM (${members("m.amopfamily = f.oid", "m.amprocfamily = f.oid", "pg_opfamily")}) m ORDER BY m.text),
         format('DROP OPERATOR FAMILY %I.%I USING %I', n.nspname, f.opfname, a.amname),
         'pg_opfamily'::regclass::oid, f.oid
  FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace JOIN pg_am a ON a.oid = f.opfmethod
  WHERE ${made("pg_opfamily", "f.oid")}`;

const classes = `
  SELECT format('operator class %I.%I USING %I', n.nspname, c.opcname, a.amname), ${inSchema},
         ARRAY[format('CREATE OPERATOR CLASS %I.%I %sFOR TYPE %s USING %I FAMILY %I.%I AS ', n.nspname, c.opcname,
                      CASE WHEN c.opcdefault THEN 'DEFAULT ' ELSE '' END, format_type(c.opcintype, NULL), a.amname, fn.nspname, f.opfname)
           || array_to_string(ARRAY(SELECT m.text FROM (${members("m.amopfamily = c.opcfamily", "m.amprocfamily = c.opcfamily", "pg_opclass", "c.oid")}) m ORDER BY m.text)
                || CASE WHEN c.opckeytype <> 0 THEN ARRAY['STORAGE ' || format_type(c.opckeytype, NULL)]
                        ELSE '{}'::text[] END, ', ')],
         format('DROP OPERATOR CLASS %I.%I USING %I', n.nspname, c.opcname, a.amname),
         'pg_opclass'::regclass::oid, c.oid
  FROM pg_opclass c JOIN pg_namespace n ON n.oid = c.opcnamespace JOIN pg_am a ON a.oid = c.opcmethod
  JOIN pg_opfamily f ON f.oid = c.opcfamily JOIN pg_namespace fn ON fn.oid = f.opfnamespace
  WHERE ${made("pg_opclass", "c.oid")}`;

/** The operators and functions that hang on an operator class, or loosely on a family. */
function members(operatorsOf: string, functionsOf: string, catalog: string, oid = "f.oid"): string {
  const belongs = (
    member: string,
  ) => `EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${member}'::regclass AND d.objid = m.oid
    AND d.refclassid = '${catalog}'::regclass AND d.refobjid = ${oid})`;
  return `SELECT format('OPERATOR %s %s (%s, %s)', m.amopstrategy, ${operator("m.amopopr").replace("'OPERATOR(%I.%s)'", "'%I.%s'")},
                        format_type(m.amoplefttype, NULL), format_type(m.amoprighttype, NULL))
            || CASE WHEN m.amopsortfamily <> 0 THEN ' FOR ORDER BY ' || (SELECT format('%I.%I', sn.nspname, sf.opfname)
                 FROM pg_opfamily sf JOIN pg_namespace sn ON sn.oid = sf.opfnamespace WHERE sf.oid = m.amopsortfamily) ELSE '' END AS text
          FROM pg_amop m WHERE ${operatorsOf} AND ${belongs("pg_amop")}
          UNION ALL
          SELECT format('FUNCTION %s (%s, %s) %s', m.amprocnum, format_type(m.amproclefttype, NULL), format_type(m.amprocrighttype, NULL), ${routine("m.amproc")})
          FROM pg_amproc m WHERE ${functionsOf} AND ${belongs("pg_amproc")}`;
}

const textSearch = (kind: string, catalog: string, alias: string, prefix: string, create: string) => `
  SELECT format('text search ${kind} %I.%I', n.nspname, ${alias}.${prefix}name), ${inSchema},
         ${create},
         format('DROP TEXT SEARCH ${kind.toUpperCase()} %I.%I', n.nspname, ${alias}.${prefix}name),
         '${catalog}'::regclass::oid, ${alias}.oid
  FROM ${catalog} ${alias} JOIN pg_namespace n ON n.oid = ${alias}.${prefix}namespace
  WHERE ${made(catalog, `${alias}.oid`)}`;

const tsName = (catalog: string, prefix: string, oid: string) =>
  `(SELECT format('%I.%I', tn.nspname, t.${prefix}name) FROM ${catalog} t JOIN pg_namespace tn ON tn.oid = t.${prefix}namespace WHERE t.oid = ${oid})`;

const parsers = textSearch(
  "parser",
  "pg_ts_parser",
  "p",
  "prs",
  `ARRAY[format('CREATE TEXT SEARCH PARSER %I.%I (START = %s, GETTOKEN = %s, END = %s, LEXTYPES = %s', n.nspname, p.prsname,
     ${functionName("p.prsstart")}, ${functionName("p.prstoken")}, ${functionName("p.prsend")}, ${functionName("p.prslextype")})
     || ${option("HEADLINE", functionName("p.prsheadline"), "p.prsheadline <> 0")} || ')']`,
);

const templates = textSearch(
  "template",
  "pg_ts_template",
  "t",
  "tmpl",
  `ARRAY[format('CREATE TEXT SEARCH TEMPLATE %I.%I (LEXIZE = %s', n.nspname, t.tmplname, ${functionName("t.tmpllexize")})
     || ${option("INIT", functionName("t.tmplinit"), "t.tmplinit <> 0")} || ')']`,
);

const dictionaries = textSearch(
  "dictionary",
  "pg_ts_dict",
  "d",
  "dict",
  `ARRAY[format('CREATE TEXT SEARCH DICTIONARY %I.%I (TEMPLATE = %s', n.nspname, d.dictname, ${tsName("pg_ts_template", "tmpl", "d.dicttemplate")})
     || coalesce(', ' || d.dictinitoption, '') || ')']`,
);

const configurations = textSearch(
  "configuration",
  "pg_ts_config",
  "g",
  "cfg",
  `ARRAY[format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %s)', n.nspname, g.cfgname, ${tsName("pg_ts_parser", "prs", "g.cfgparser")})]
   || ARRAY(SELECT format('ALTER TEXT SEARCH CONFIGURATION %I.%I ADD MAPPING FOR %I WITH %s', n.nspname, g.cfgname,
              (SELECT tt.alias FROM ts_token_type(g.cfgparser) tt WHERE tt.tokid = m.maptokentype),
              string_agg(${tsName("pg_ts_dict", "dict", "m.mapdict")}, ', ' ORDER BY m.mapseqno))
            FROM pg_ts_config_map m WHERE m.mapcfg = g.oid GROUP BY m.maptokentype ORDER BY m.maptokentype)`,
);

const languages = `
  SELECT format('language %I', l.lanname), NULL::json,
         ARRAY[format('CREATE %sLANGUAGE %I HANDLER %s', CASE WHEN l.lanpltrusted THEN 'TRUSTED ' ELSE '' END, l.lanname, ${functionName("l.lanplcallfoid")})
           || CASE WHEN l.laninline <> 0 THEN ' INLINE ' || ${functionName("l.laninline")} ELSE '' END
           || CASE WHEN l.lanvalidator <> 0 THEN ' VALIDATOR ' || ${functionName("l.lanvalidator")} ELSE '' END],
         format('DROP LANGUAGE %I', l.lanname), 'pg_language'::regclass::oid, l.oid
  FROM pg_language l WHERE l.lanispl AND ${made("pg_language", "l.oid")}`;

const transforms = `
  SELECT format('transform for %s language %I', format_type(t.trftype, NULL), l.lanname), NULL::json,
         ARRAY[format('CREATE TRANSFORM FOR %s LANGUAGE %I (', format_type(t.trftype, NULL), l.lanname)
           || concat_ws(', ', CASE WHEN t.trffromsql <> 0 THEN 'FROM SQL WITH FUNCTION ' || ${routine("t.trffromsql")} END,
                              CASE WHEN t.trftosql <> 0 THEN 'TO SQL WITH FUNCTION ' || ${routine("t.trftosql")} END) || ')'],
         format('DROP TRANSFORM FOR %s LANGUAGE %I', format_type(t.trftype, NULL), l.lanname), 'pg_transform'::regclass::oid, t.oid
  FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang WHERE ${made("pg_transform", "t.oid")}`;

const accessMethods = `
  SELECT format('access method %I', a.amname), NULL::json,
         ARRAY[format('CREATE ACCESS METHOD %I TYPE %s HANDLER %s', a.amname, CASE a.amtype WHEN 't' THEN 'TABLE' ELSE 'INDEX' END, ${functionName("a.amhandler")})],
         format('DROP ACCESS METHOD %I', a.amname), 'pg_am'::regclass::oid, a.oid
  FROM pg_am a WHERE ${made("pg_am", "a.oid")}`;

const conversions = `
  SELECT format('conversion %I.%I', n.nspname, c.conname), ${inSchema},
         ARRAY[format('CREATE %sCONVERSION %I.%I FOR %L TO %L FROM %s', CASE WHEN c.condefault THEN 'DEFAULT ' ELSE '' END,
                      n.nspname, c.conname, pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), ${functionName("c.conproc")})],
         format('DROP CONVERSION %I.%I', n.nspname, c.conname), 'pg_conversion'::regclass::oid, c.oid
  FROM pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace WHERE ${made("pg_conversion", "c.oid")}`;

const all: Readonly<Record<string, string>> = {
  pg_statistic_ext: statistics,
  pg_operator: operators,
  pg_cast: casts,
  pg_opfamily: families,
  pg_opclass: classes,
  pg_ts_parser: parsers,
  pg_ts_template: templates,
  pg_ts_dict: dictionaries,
  pg_ts_config: configurations,
  pg_language: languages,
  pg_transform: transforms,
  pg_am: accessMethods,
  pg_conversion: conversions,
};

/** The catalogs whose objects are read here. */
export const objectCatalogs = Object.keys(all);

/** The column with the owner, by catalog; objects of the other kinds have none. */
const ownerColumns: Readonly<Record<string, string>> = {
  pg_statistic_ext: "stxowner",
  pg_operator: "oprowner",
  pg_opfamily: "opfowner",
  pg_opclass: "opcowner",
  pg_ts_dict: "dictowner",
  pg_ts_config: "cfgowner",
  pg_language: "lanowner",
  pg_conversion: "conowner",
};

const owner = Object.entries(ownerColumns)
  .map(
    ([catalog, column]) =>
      `WHEN '${catalog}'::regclass THEN (SELECT pg_get_userbyid(${column}) FROM ${catalog} WHERE oid = o.objid)`,
  )
  .join(" ");

/**
 * One query for the kinds that are there, with their comments, their owners and, for statistics objects, the target that is
 * not the default; undefined where there are none.
 */
export function objectsQuery(present: ReadonlySet<string>): string | undefined {
  const queries = objectCatalogs.flatMap((catalog) => (present.has(catalog) ? [all[catalog]] : []));
  if (queries.length === 0) return undefined;
  return `
  SELECT o.*, d.description AS comment, CASE o.classid ${owner} END AS owner,
         CASE WHEN o.classid = 'pg_statistic_ext'::regclass
              THEN (SELECT s.stxstattarget FROM pg_statistic_ext s WHERE s.oid = o.objid AND s.stxstattarget >= 0) END AS target
  FROM (${queries.join("\nUNION ALL\n")}) AS o (key, parent, "create", "drop", classid, objid)
  LEFT JOIN pg_description d ON d.classoid = o.classid AND d.objoid = o.objid AND d.objsubid = 0`;
}
