/** What refuses a row, a statement or a trigger. */
export const GUARDS = `-- Where migrations make the service's tables. A constant in the function's text, so that a restored copy has it too,
-- and nobody's search_path can change it.
DO $$
BEGIN
    EXECUTE format(
        'CREATE FUNCTION mesh.home() RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN %L::text', current_schema());
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

CREATE FUNCTION mesh.refuse_key_change() RETURNS TRIGGER
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- 0A000 feature_not_supported
    RAISE EXCEPTION 'the key of %.% cannot be changed', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = '0A000',
              DETAIL = 'The key is the id of the entity in every event and every other service.',
              HINT = 'Insert a row with the new key and delete the old one.',
              SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END;
$$;
COMMENT ON FUNCTION mesh.refuse_key_change() IS 'Always raises 0A000: a key is an entity''s identity.';

CREATE FUNCTION mesh.refuse_truncate() RETURNS TRIGGER
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- 0A000 feature_not_supported
    RAISE EXCEPTION 'TRUNCATE of %.% would remove rows without their events', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = '0A000', HINT = 'Use DELETE: it writes its events in one statement.',
              SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END;
$$;
COMMENT ON FUNCTION mesh.refuse_truncate() IS 'Always raises 0A000: truncating fires no row trigger, so no event could follow.';

CREATE FUNCTION mesh.refuse_deleted(entity TEXT, ids TEXT[], table_name TEXT, column_name TEXT) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone TEXT;
BEGIN
    -- An id that was never heard of gets a row too: there must be something that a concurrent deletion has to wait for.
    INSERT INTO mesh.applied (entity, entity_id)
    SELECT refuse_deleted.entity, id FROM unnest(ids) AS id WHERE id IS NOT NULL GROUP BY id ORDER BY id
    ON CONFLICT DO NOTHING;
    -- FOR SHARE waits for a deletion in progress, and makes a later one wait for this transaction. "deleted"
    -- is read from the locked rows, after the wait: as a condition it would skip rows before locking them.
    SELECT min(locked.entity_id) FILTER (WHERE locked.deleted) INTO gone
    FROM (
        SELECT applied.entity_id, applied.deleted FROM mesh.applied
        WHERE applied.entity = refuse_deleted.entity AND applied.entity_id = ANY (ids)
        ORDER BY applied.entity_id
        FOR SHARE
    ) AS locked;
    IF gone IS NOT NULL THEN
        -- 23503 foreign_key_violation: what a foreign key within one database would say.
        RAISE EXCEPTION '%.% refers to % %, which is deleted', table_name, column_name, entity, quote_literal(gone)
            USING ERRCODE = '23503', TABLE = table_name, COLUMN = column_name,
                  DETAIL = 'Its deletion was applied here, with its cascades; a row attached now would outlive them.';
    END IF;
END;
$$;
COMMENT ON FUNCTION mesh.refuse_deleted(TEXT, TEXT[], TEXT, TEXT) IS
    'Raises 23503 when one of the ids is deleted; otherwise none can be deleted until this transaction ends.';
`;
