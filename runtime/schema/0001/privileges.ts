/** Last: nobody but their owner executes the functions above, save one. */
export const PRIVILEGES = `CREATE FUNCTION mesh.grant_service(role TEXT, tables TEXT[]) RETURNS VOID
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    table_name TEXT;
    names TEXT[];
    verbs TEXT;
    made RECORD;
BEGIN
    -- "public" is no role, but means everybody.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role AND oid <> (SELECT nspowner FROM pg_namespace WHERE nspname = 'mesh')) THEN
        -- 42704 undefined_object
        RAISE EXCEPTION 'there is no role % beside the owner', quote_literal(role)
            USING ERRCODE = '42704', HINT = 'roles.sql, run by an administrator, makes the role that a service runs as.';
    END IF;
    EXECUTE format($rights$
        REVOKE ALL ON SCHEMA mesh FROM PUBLIC, %1$I;
        REVOKE ALL ON ALL TABLES IN SCHEMA mesh FROM PUBLIC, %1$I;
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA mesh FROM PUBLIC, %1$I;
        REVOKE ALL ON ALL ROUTINES IN SCHEMA mesh FROM PUBLIC, %1$I;
        -- CHECK constraints and defaults call these as whoever writes a row.
        GRANT EXECUTE ON FUNCTION mesh.decimal_of(DOUBLE PRECISION), mesh.decimal_of(REAL), mesh.is_document(JSON, BOOLEAN), mesh.is_document(JSONB, BOOLEAN),
    mesh.is_list(ANYARRAY), mesh.nanoid() TO PUBLIC;

        GRANT USAGE ON SCHEMA mesh TO %1$I;
        -- Relay and publisher.
        GRANT SELECT, INSERT, UPDATE (version, body), DELETE ON mesh.outbox TO %1$I;
        GRANT SELECT, INSERT, UPDATE, DELETE ON mesh.entity_version TO %1$I;
        GRANT SELECT, UPDATE ON mesh.relay, mesh.relay_progress TO %1$I;
        GRANT SELECT, UPDATE (max_event_bytes) ON mesh.broker TO %1$I;
        GRANT EXECUTE ON FUNCTION mesh.next_version(TEXT, TEXT), mesh.message(UUID, TEXT, TEXT, BIGINT, TEXT),
            mesh.refuse_event(TEXT, INTEGER, INTEGER), mesh.set_cause(TEXT), mesh.cause() TO %1$I;
        -- The id of a row with a key of several columns, and back.
        GRANT EXECUTE ON FUNCTION mesh.id_part(TEXT), mesh.part_of_id(TEXT, INTEGER) TO %1$I;
        GRANT SELECT, UPDATE (next_at, attempts, last_error) ON mesh.moment TO %1$I;
        GRANT EXECUTE ON FUNCTION mesh.clock(), mesh.tell_moments(NAME, TEXT, TEXT[], INTEGER) TO %1$I;
        -- Consumers.
        GRANT SELECT, INSERT, UPDATE, DELETE ON mesh.applied TO %1$I;
        GRANT SELECT, INSERT, DELETE ON mesh.seen TO %1$I;
        GRANT SELECT, INSERT, UPDATE, DELETE ON mesh.attempt TO %1$I;
        GRANT SELECT, INSERT, UPDATE, DELETE ON mesh.cascade_task TO %1$I;
        GRANT SELECT, INSERT, UPDATE ON mesh.subscription TO %1$I;
        GRANT SELECT, INSERT, DELETE ON mesh.unfit_row TO %1$I;
        GRANT SELECT, INSERT, DELETE ON mesh.unheard TO %1$I;
        GRANT SELECT, INSERT, DELETE ON mesh.told TO %1$I;
        GRANT SELECT, INSERT, UPDATE (settled_as, settled_at, settled_by, settled_why) ON mesh.dead_letter TO %1$I;
        GRANT EXECUTE ON FUNCTION mesh.discard_letter(BIGINT, TEXT, TEXT) TO %1$I;
        -- Which migrations and triggers there are, and where; the owner alone makes them.
        GRANT SELECT ON mesh.migration, mesh.trigger TO %1$I;
        GRANT EXECUTE ON FUNCTION mesh.home() TO %1$I;
    $rights$, role);
    -- The service's rows; triggers write their events as the owner.
    FOREACH table_name IN ARRAY tables LOOP
        names := parse_ident(table_name);
        IF cardinality(names) = 1 THEN names := mesh.home() || names; END IF;
        IF NOT has_schema_privilege(role, names[1], 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', names[1], role);
        END IF;
        verbs := CASE WHEN EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(format('%I.%I', names[1], names[2])) AND relkind IN ('v', 'm'))
            THEN 'SELECT' ELSE 'SELECT, INSERT, UPDATE, DELETE' END;
        EXECUTE format('REVOKE ALL ON %1$I.%2$I FROM %3$I; GRANT %4$s ON %1$I.%2$I TO %3$I', names[1], names[2], role, verbs);
    END LOOP;
    -- What SQL of the service's own has made. A view is read, for it shows with its owner's rights.
    FOR made IN
        SELECT nspname, custom.name, CASE relkind WHEN 'S' THEN 'USAGE, SELECT ON SEQUENCE'
            WHEN 'v' THEN 'SELECT ON' WHEN 'm' THEN 'SELECT ON' ELSE 'SELECT, INSERT, UPDATE, DELETE ON' END AS rights
        FROM mesh.custom_relation AS custom JOIN pg_class ON pg_class.oid = to_regclass(custom.name)
            JOIN pg_namespace AS n ON n.oid = relnamespace
        -- Whoever calls this may grant more than the owner, who writes that list.
        WHERE pg_has_role((SELECT nspowner FROM pg_namespace WHERE nspname = 'mesh'), relowner, 'USAGE')
    LOOP
        IF NOT has_schema_privilege(role, made.nspname, 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', made.nspname, role);
        END IF;
        EXECUTE format('GRANT %s %s TO %I', made.rights, made.name, role);
    END LOOP;
END;
$$;
COMMENT ON FUNCTION mesh.grant_service(TEXT, TEXT[]) IS
    'Grants a service''s role what it needs, and revokes the rest. The owner calls it after each migration; mesh migrate and mesh dev do. Arguments: the role, and the tables of the service''s database, as SQL names them. Raises 42704 without such a role.';

CREATE FUNCTION mesh.forget_place(schema_name TEXT, table_name TEXT) RETURNS VOID
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation REGCLASS := to_regclass(format('%I.%I', schema_name, table_name));
    is_left BOOLEAN;
    holder REGROLE;
BEGIN
    DELETE FROM mesh.place WHERE (place.schema_name, place.table_name) = ($1, $2);
    is_left := $1 <> mesh.home() AND NOT EXISTS (SELECT FROM mesh.place WHERE place.schema_name = $1)
        AND NOT EXISTS (SELECT FROM mesh.custom_relation AS custom JOIN pg_class ON pg_class.oid = to_regclass(custom.name)
            WHERE relnamespace = to_regnamespace(quote_ident($1)));
    -- Whom the mesh has granted the outbox, it has granted the table.
    FOR holder IN
        SELECT held.grantee FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) AS held
        WHERE pg_class.oid = 'mesh.outbox'::regclass AND held.privilege_type = 'INSERT' AND held.grantee NOT IN (0, relowner)
    LOOP
        IF relation IS NOT NULL THEN EXECUTE format('REVOKE ALL ON %s FROM %s', relation, holder); END IF;
        -- What an administrator has granted is theirs to take.
        IF is_left AND EXISTS (
            SELECT FROM pg_namespace CROSS JOIN LATERAL aclexplode(nspacl) AS held
            WHERE nspname = $1 AND held.grantee = holder AND pg_has_role(held.grantor, 'USAGE')
        ) THEN
            EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM %s', $1, holder);
        END IF;
    END LOOP;
END;
$$;
COMMENT ON FUNCTION mesh.forget_place(TEXT, TEXT) IS
    'Releases a table that existed: takes it out of mesh.place, and from the service''s role what it was granted, of its schema too where none is left in it.';

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

DO $$
DECLARE
    known RECORD;
BEGIN
    FOR known IN SELECT oid::regprocedure AS routine FROM pg_proc WHERE pronamespace = 'mesh'::regnamespace LOOP
        PERFORM mesh.keep_private(known.routine);
    END LOOP;
END;
$$;
-- CHECK constraints and defaults of the service's tables call these as whoever writes a row. They read no row.
GRANT EXECUTE ON FUNCTION mesh.decimal_of(DOUBLE PRECISION), mesh.decimal_of(REAL), mesh.is_document(JSON, BOOLEAN), mesh.is_document(JSONB, BOOLEAN),
    mesh.is_list(ANYARRAY), mesh.nanoid() TO PUBLIC;
`;
