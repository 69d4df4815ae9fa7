/** Last: nobody but their owner executes the functions above, save one. */
export const PRIVILEGES = `CREATE FUNCTION mesh.keep_private(routine REGPROCEDURE) RETURNS VOID
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

DO $$
DECLARE
    known RECORD;
BEGIN
    FOR known IN SELECT oid::regprocedure AS routine FROM pg_proc WHERE pronamespace = 'mesh'::regnamespace LOOP
        PERFORM mesh.keep_private(known.routine);
    END LOOP;
END;
$$;
-- CHECK constraints of the service's tables call it as whoever writes a row. It reads nothing but its argument.
GRANT EXECUTE ON FUNCTION mesh.decimal_of(DOUBLE PRECISION) TO PUBLIC;
`;
