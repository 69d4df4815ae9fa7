import type pg from "pg";

/*
 * What PostgreSQL itself says of who may do what.
 */

/** The state of the database that an attack could change. */
const STATE = `
SELECT 'relation ' || oid::regclass || ' ' || relowner::regrole || ' ' || coalesce(relacl::text, '-') AS line FROM pg_class
WHERE relnamespace IN ('public'::regnamespace, 'mesh'::regnamespace)
UNION ALL SELECT 'routine ' || oid::regprocedure || ' ' || proowner::regrole || ' ' || coalesce(proacl::text, '-') || md5(prosrc) FROM pg_proc
WHERE pronamespace IN ('public'::regnamespace, 'mesh'::regnamespace)
UNION ALL SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text FROM pg_trigger WHERE tgrelid::regclass::text !~ '^pg_temp'
UNION ALL SELECT 'role ' || to_jsonb(role)::text FROM pg_roles AS role WHERE rolname LIKE current_database() || '%'
UNION ALL SELECT 'member ' || roleid::regrole || ' ' || member::regrole FROM pg_auth_members WHERE member::regrole::text LIKE current_database() || '%'
UNION ALL SELECT 'schema ' || nspname || ' ' || coalesce(nspacl::text, '-') FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
UNION ALL SELECT 'database ' || coalesce(datacl::text, '-') || datdba::regrole FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'extension ' || extname FROM pg_extension
ORDER BY 1`;

export async function stateOf(client: pg.Client): Promise<readonly string[]> {
  return (await client.query<{ line: string }>(STATE)).rows.map(({ line }) => line);
}

/** Every privilege of the role, its own or through PUBLIC, on objects that are not PostgreSQL's. */
const RIGHTS = `
WITH spaces AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
SELECT concat_ws(' ', 'schema', nspname, privilege) AS line FROM spaces, unnest(ARRAY['USAGE', 'CREATE']) AS privilege
WHERE has_schema_privilege($1, oid, privilege)
UNION ALL
SELECT concat_ws(' ', kind, nspname || '.' || relname, string_agg(verb, ' ' ORDER BY place)) FROM (
  SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, nspname, relname, place,
    CASE WHEN has_table_privilege($1, rel.oid, privilege) THEN privilege ELSE privilege || ' (' || (
      SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
      WHERE attrelid = rel.oid AND attnum > 0 AND NOT attisdropped AND has_column_privilege($1, attrelid, attnum, privilege)) || ')' END AS verb
  FROM pg_class AS rel JOIN spaces ON spaces.oid = relnamespace,
    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) WITH ORDINALITY AS verb (privilege, place)
  WHERE relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND (has_table_privilege($1, rel.oid, privilege)
    OR privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege($1, rel.oid, privilege))
) AS held GROUP BY kind, nspname, relname
UNION ALL
SELECT concat_ws(' ', 'function', proc.oid::regprocedure, CASE WHEN prosecdef THEN 'AS OWNER' END)
FROM pg_proc AS proc JOIN spaces ON spaces.oid = pronamespace WHERE has_function_privilege($1, proc.oid, 'EXECUTE')
UNION ALL
SELECT concat_ws(' ', 'database', CASE datname WHEN current_database() THEN 'its own' ELSE datname END, string_agg(privilege, ' '))
FROM pg_database, unnest(ARRAY['CONNECT', 'TEMPORARY', 'CREATE']) AS privilege
WHERE datname IN (current_database(), 'postgres', 'template1') AND has_database_privilege($1, pg_database.oid, privilege)
GROUP BY datname
UNION ALL
SELECT concat_ws(' ', 'member of', roleid::regrole) FROM pg_auth_members WHERE member = $1::regrole
ORDER BY 1`;

/** The privileges that the role of SFS must have. */
export const MAY: readonly string[] = [
  "database its own CONNECT TEMPORARY",
  "function mesh.cause()",
  "function mesh.clock()",
  "function mesh.decimal_of(double precision)",
  "function mesh.decimal_of(real)",
  "function mesh.discard_letter(bigint,text,text) AS OWNER",
  "function mesh.home()",
  "function mesh.id_part(text)",
  "function mesh.is_document(json,boolean)",
  "function mesh.is_document(jsonb,boolean)",
  "function mesh.is_list(anyarray)",
  "function mesh.message(uuid,text,text,bigint,text)",
  "function mesh.nanoid()",
  "function mesh.next_version(text,text)",
  "function mesh.part_of_id(text,integer)",
  "function mesh.refuse_event(text,integer,integer)",
  "function mesh.set_cause(text)",
  "function mesh.tell_moments(name,text,text[],integer) AS OWNER",
  "schema mesh USAGE",
  "schema public USAGE",
  "table mesh.applied SELECT INSERT UPDATE DELETE",
  "table mesh.attempt SELECT INSERT UPDATE DELETE",
  "table mesh.broker SELECT UPDATE (max_event_bytes)",
  "table mesh.cascade_task SELECT INSERT UPDATE DELETE",
  "table mesh.dead_letter SELECT INSERT UPDATE (settled_as, settled_at, settled_by, settled_why)",
  "table mesh.entity_version SELECT INSERT UPDATE DELETE",
  "table mesh.migration SELECT",
  "table mesh.moment SELECT UPDATE (next_at, attempts, last_error)",
  "table mesh.outbox SELECT INSERT UPDATE (version, body) DELETE",
  "table mesh.relay SELECT UPDATE",
  "table mesh.relay_progress SELECT UPDATE",
  "table mesh.seen SELECT INSERT DELETE",
  "table mesh.subscription SELECT INSERT UPDATE",
  "table mesh.told SELECT INSERT DELETE",
  "table mesh.trigger SELECT",
  "table mesh.unfit_row SELECT INSERT DELETE",
  "table mesh.unheard SELECT INSERT DELETE",
  "table public.files SELECT INSERT UPDATE DELETE",
  "table public.namespaces SELECT INSERT UPDATE DELETE",
  "table public.user_cache SELECT INSERT UPDATE DELETE",
];

export async function rightsOf(client: pg.Client, role: string): Promise<readonly string[]> {
  return (await client.query<{ line: string }>(RIGHTS, [role])).rows.map(({ line }) => line);
}
