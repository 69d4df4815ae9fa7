/**
 * Least privilege within the database: nobody but their owner executes what runs as the owner, such functions work for
 * their own table alone, and the ledger of migrations is the owner's to write.
 *
 * Immutable once released: its sha256 is in every ledger. A change is a new numbered file beside it.
 */
export const MESH_0004 = `-- Where the service's tables stand: where its triggers are, else where its migrations make tables. A constant in
-- the function's text, so that a restored copy has it too, and nobody's search_path can change it.
DO $$
BEGIN
    EXECUTE format(
        'CREATE FUNCTION mesh.home() RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN %L::text',
        coalesce((
            SELECT namespace.nspname FROM pg_trigger AS fired
            JOIN pg_proc AS routine ON routine.oid = fired.tgfoid AND routine.pronamespace = 'mesh'::regnamespace
            JOIN pg_class AS relation ON relation.oid = fired.tgrelid AND relation.relowner = routine.proowner
            JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
            WHERE relation.relpersistence <> 't'
            GROUP BY namespace.nspname ORDER BY count(*) DESC, namespace.nspname LIMIT 1
        ), current_schema()));
END;
$$;
COMMENT ON FUNCTION mesh.home() IS
    'Schema of the service''s tables. Whoever moves them replaces this function.';

CREATE FUNCTION mesh.refuse_table(routine TEXT, relation OID) RETURNS VOID
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- 39P01 trigger_protocol_violated
    RAISE EXCEPTION 'mesh.% was made for another table than %', routine, relation::regclass
        USING ERRCODE = '39P01',
              DETAIL = 'It runs with the rights of its owner, on rows of its own table alone.',
              HINT = 'Drop this trigger. Where the service''s tables were moved to another schema, mesh.home() must say so.';
END;
$$;
COMMENT ON FUNCTION mesh.refuse_table(TEXT, OID) IS
    'Always raises 39P01: a function that runs as its owner was made a trigger of somebody else''s table.';

CREATE FUNCTION mesh.keep_private(routine REGPROCEDURE) RETURNS VOID
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder TEXT;
BEGIN
    FOR holder IN
        SELECT DISTINCT CASE held.grantee WHEN 0 THEN 'PUBLIC' ELSE held.grantee::regrole::text END
        FROM pg_proc CROSS JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner))) AS held
        WHERE pg_proc.oid = routine AND held.grantee <> proowner
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s CASCADE', routine, holder);
    END LOOP;
END;
$$;
COMMENT ON FUNCTION mesh.keep_private(REGPROCEDURE) IS
    'Takes a function from everybody but its owner. Triggers that call it fire all the same.';

-- They only refuse, whoever they run as.
ALTER FUNCTION mesh.refuse_key_change() SECURITY INVOKER;
ALTER FUNCTION mesh.refuse_truncate() SECURITY INVOKER;

DO $$
DECLARE
    known RECORD;
BEGIN
    FOR known IN SELECT oid::regprocedure AS routine FROM pg_proc WHERE pronamespace = 'mesh'::regnamespace LOOP
        PERFORM mesh.keep_private(known.routine);
    END LOOP;
    -- Services that run under a role of their own call these two; triggers and their functions need none.
    FOR known IN
        SELECT DISTINCT held.grantee::regrole AS role
        FROM pg_class AS outbox CROSS JOIN LATERAL aclexplode(outbox.relacl) AS held
        WHERE outbox.oid = 'mesh.outbox'::regclass AND held.privilege_type = 'INSERT'
          AND held.grantee NOT IN (0, outbox.relowner)
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION mesh.next_version(TEXT, TEXT), mesh.refuse_event(TEXT, INTEGER, INTEGER) TO %s', known.role);
    END LOOP;
    FOR known IN
        SELECT ledger.oid::regclass AS relation, held.grantee::regrole AS role
        FROM pg_class AS ledger CROSS JOIN LATERAL aclexplode(ledger.relacl) AS held
        WHERE ledger.oid IN (to_regclass('mesh.migration'), to_regclass('mesh.migration_stage'))
          AND held.grantee NOT IN (0, ledger.relowner)
        GROUP BY 1, 2
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON %s FROM %s CASCADE', known.relation, known.role);
    END LOOP;
END;
$$;
-- CHECK constraints of the service's tables call it as whoever writes a row. It reads nothing but its argument.
GRANT EXECUTE ON FUNCTION mesh.decimal_of(DOUBLE PRECISION) TO PUBLIC;
`;
