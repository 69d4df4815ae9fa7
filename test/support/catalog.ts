import type pg from "pg";

/** The tables, indexes, triggers and functions in PostgreSQL's catalogs, as sorted lines. Column order is left out: an added column comes last. */
export async function readCatalog(client: pg.Client, only?: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ line: string }>(CATALOG, [only ?? "%"]);
  return rows.map((row) => row.line);
}

const CATALOG = `
  SELECT format('column %s.%s %s%s%s default %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                CASE WHEN a.attnotnull THEN ' not null' ELSE '' END, CASE a.attidentity WHEN '' THEN '' ELSE ' identity' END, coalesce(pg_get_expr(d.adbin, d.adrelid), '-')) AS line
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relname LIKE $1
  UNION ALL
  SELECT format('constraint %s.%s %s %s%s', c.relname, k.conname, k.contype, pg_get_constraintdef(k.oid),
                CASE WHEN k.convalidated THEN '' ELSE ' not valid' END)
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid AND c.relnamespace = 'public'::regnamespace
  WHERE c.relname LIKE $1
    AND k.contype <> 'n' -- NOT NULL stands with its column above; PostgreSQL 18 names it too, and no statement of ours uses the name
  UNION ALL
  SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'public' AND tablename LIKE $1
  UNION ALL
  SELECT format('trigger %s.%s %s %s', c.relname, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid))
  FROM pg_trigger t
  JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'public'::regnamespace
  WHERE NOT t.tgisinternal AND c.relname LIKE $1
  UNION ALL
  SELECT format('function %s', pg_get_functiondef(p.oid))
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname = 'mesh' AND p.proname ~ '^(emit|guard)_' AND $1 = '%'
  ORDER BY 1`;
