/** What refuses a row, a statement or a trigger. */
export const GUARDS = `-- Where migrations make the service's tables. A constant in the function's text, so that a restored copy has it too,
-- and nobody's search_path can change it.
DO $$
BEGIN
    EXECUTE pg_catalog.format(
        'CREATE FUNCTION mesh.home() RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN %L::text', pg_catalog.current_schema());
END;
$$;
COMMENT ON FUNCTION mesh.home() IS
    'Schema of the service''s tables. Whoever moves them replaces this function.';

CREATE TABLE mesh.place (
    schema_name  TEXT COLLATE "C" NOT NULL,
    table_name   TEXT COLLATE "C" NOT NULL,
    existing     BOOLEAN NOT NULL,
    PRIMARY KEY (schema_name, table_name)
);
COMMENT ON TABLE mesh.place IS 'Tables that the service has elsewhere than in mesh.home(), or had before the mesh.';
COMMENT ON COLUMN mesh.place.schema_name IS 'Their schema.';
COMMENT ON COLUMN mesh.place.table_name IS 'Their names.';
COMMENT ON COLUMN mesh.place.existing IS 'It was there before the mesh: what is ours on it are triggers, and checks and indexes whose names begin with mesh_.';

CREATE TABLE mesh.custom_relation (
    name TEXT COLLATE "C" PRIMARY KEY
);
COMMENT ON TABLE mesh.custom_relation IS 'Views, tables and sequences that SQL of the service''s own has made: its role is granted these.';
COMMENT ON COLUMN mesh.custom_relation.name IS 'As SQL names it, with its schema.';

CREATE FUNCTION mesh.refuse_table(own_table NAME, relation OID) RETURNS BOOLEAN
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- 39P01 trigger_protocol_violated
    RAISE EXCEPTION 'the function of % was made a trigger of %', own_table, relation::regclass
        USING ERRCODE = '39P01',
              DETAIL = 'It runs with the rights of its owner, on rows of its own table alone.',
              HINT = 'Drop this trigger. Where the service''s tables were moved to another schema, mesh.home() must say so.';
END;
$$;
COMMENT ON FUNCTION mesh.refuse_table(NAME, OID) IS
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
    SELECT refuse_deleted.entity, id FROM unnest(ids) AS id WHERE id IS NOT NULL GROUP BY id ORDER BY id COLLATE "C"
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

CREATE FUNCTION mesh.guard_update() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entity TEXT;
    id TEXT;
BEGIN
    IF NOT EXISTS (SELECT FROM mesh.place WHERE (schema_name, table_name) = (tg_table_schema, tg_table_name)) AND (
        tg_table_schema <> mesh.home() OR NOT (SELECT relowner = current_user::regrole FROM pg_class WHERE oid = tg_relid)
    ) THEN
        PERFORM mesh.refuse_table('guarded columns', tg_relid);
    END IF;
    EXECUTE format('SELECT ($1).%I::text', tg_argv[0]) INTO id USING new;
    FOREACH entity IN ARRAY tg_argv[1:] LOOP
        PERFORM mesh.refuse_deleted(entity, ARRAY[id], tg_table_name, tg_argv[0]);
    END LOOP;
    RETURN NULL;
END;
$$;
COMMENT ON FUNCTION mesh.guard_update() IS
    'Trigger function of a column by which a cascade finds its rows. Arguments: the column, then the entities whose ids it holds.';

CREATE TABLE mesh.trigger (
    relation    REGCLASS NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    definition  TEXT NOT NULL,
    PRIMARY KEY (relation, name)
);
COMMENT ON TABLE mesh.trigger IS
    'Triggers that migrations have made of the service''s tables. One that somebody dropped or disabled is told by mesh status, mesh verify and /readyz; mesh migrate puts it back.';
COMMENT ON COLUMN mesh.trigger.relation IS 'The table. That of a table that is gone means nothing.';
COMMENT ON COLUMN mesh.trigger.name IS 'The trigger.';
COMMENT ON COLUMN mesh.trigger.definition IS 'The statement that makes it.';

CREATE FUNCTION mesh.note_trigger(relation REGCLASS, trigger_name TEXT) RETURNS VOID
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO mesh.trigger SELECT tgrelid, tgname, pg_get_triggerdef(oid) FROM pg_trigger
    WHERE tgrelid = note_trigger.relation AND tgname = note_trigger.trigger_name
    ON CONFLICT ON CONSTRAINT trigger_pkey DO UPDATE SET definition = excluded.definition;
END;
COMMENT ON FUNCTION mesh.note_trigger(REGCLASS, TEXT) IS 'Notes in mesh.trigger what has just been made.';

CREATE FUNCTION mesh.attach(relation REGCLASS, routine REGPROCEDURE, VARIADIC triggers TEXT[]) RETURNS VOID
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    trigger_name TEXT;
BEGIN
    FOREACH trigger_name IN ARRAY triggers LOOP
        EXECUTE format('CREATE TRIGGER %I ', trigger_name) || format(CASE regexp_replace(trigger_name, '^mesh_', '') -- so prefixed on a table that existed
            WHEN 'on_insert' THEN 'AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION %2$s'
            WHEN 'on_update' THEN 'AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION %2$s'
            WHEN 'on_delete' THEN 'AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION %2$s'
            WHEN 'refuse_truncate' THEN 'BEFORE TRUNCATE ON %1$s FOR EACH STATEMENT EXECUTE FUNCTION mesh.refuse_truncate()'
        END, relation, routine);
        PERFORM mesh.note_trigger(relation, trigger_name);
    END LOOP;
END;
$$;
COMMENT ON FUNCTION mesh.attach(REGCLASS, REGPROCEDURE, TEXT[]) IS
    'Makes triggers of a table: on_insert, on_update and on_delete, which call the table''s own function once per statement, and refuse_truncate.';

CREATE FUNCTION mesh.keep_key(relation REGCLASS, trigger_name TEXT, VARIADIC key TEXT[]) RETURNS VOID
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OF %3$s ON %2$s FOR EACH ROW WHEN (%4$s) EXECUTE FUNCTION mesh.refuse_key_change()',
        trigger_name, relation,
        (SELECT string_agg(format('%I', name), ', ') FROM unnest(key) AS name),
        (SELECT string_agg(format('old.%1$I IS DISTINCT FROM new.%1$I', name), ' OR ') FROM unnest(key) AS name));
    PERFORM mesh.note_trigger(relation, trigger_name);
END;
$$;
COMMENT ON FUNCTION mesh.keep_key(REGCLASS, TEXT, TEXT[]) IS 'Makes the trigger that refuses to change the key of a row.';

CREATE FUNCTION mesh.guard(relation REGCLASS, trigger_name TEXT, column_name TEXT, VARIADIC entities TEXT[]) RETURNS VOID
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE OF %3$I ON %2$s FOR EACH ROW
        WHEN (new.%3$I IS NOT NULL AND new.%3$I IS DISTINCT FROM old.%3$I) EXECUTE FUNCTION mesh.guard_update(%4$s)',
        trigger_name, relation, column_name, mesh.trigger_arguments(column_name || entities));
    PERFORM mesh.note_trigger(relation, trigger_name);
END;
$$;
COMMENT ON FUNCTION mesh.guard(REGCLASS, TEXT, TEXT, TEXT[]) IS
    'Makes the trigger that refuses rows whose column begins to name a deleted entity, of those whose ids the column holds.';

CREATE FUNCTION mesh.guard_living(relation REGCLASS, trigger_name TEXT, column_name TEXT, soft_delete TEXT, VARIADIC entities TEXT[]) RETURNS VOID
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_flag BOOLEAN := (SELECT atttypid = 'boolean'::regtype FROM pg_attribute WHERE attrelid = relation AND attname = soft_delete);
BEGIN
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE OF %3$I, %5$I ON %2$s FOR EACH ROW
        WHEN (new.%3$I IS NOT NULL AND new.%5$I %6$s AND (new.%3$I IS DISTINCT FROM old.%3$I OR NOT (old.%5$I %6$s)))
        EXECUTE FUNCTION mesh.guard_update(%4$s)',
        trigger_name, relation, column_name, mesh.trigger_arguments(column_name || entities), soft_delete,
        CASE WHEN is_flag THEN 'IS NOT TRUE' ELSE 'IS NULL' END);
    PERFORM mesh.note_trigger(relation, trigger_name);
END;
$$;
COMMENT ON FUNCTION mesh.guard_living(REGCLASS, TEXT, TEXT, TEXT, TEXT[]) IS
    'As mesh.guard, for a table that deletes softly: a deleted row may name what is deleted, and is refused where it comes back.';

CREATE FUNCTION mesh.trigger_arguments(arguments TEXT[]) RETURNS TEXT
LANGUAGE sql IMMUTABLE
RETURN (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(argument), ', ' ORDER BY place) FROM pg_catalog.unnest(arguments) WITH ORDINALITY AS given (argument, place));
COMMENT ON FUNCTION mesh.trigger_arguments(TEXT[]) IS 'What stands in the brackets of EXECUTE FUNCTION.';

-- A trigger of the user may change rows that the statement which fired it has just written: the events of those
-- changes are written first, and the statement's own would come last though they are older.
CREATE FUNCTION mesh.refuse_overtaken(relation OID, key NAME[], may_be_gone BOOLEAN, ids TEXT[], images BYTEA[]) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    overtaken BOOLEAN;
BEGIN
    -- A row may have passed several times within the statement: its last image counts. Rows are looked up one by one,
    -- since the caller allows no nested loops.
    EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM unnest($1, $2) AS written (id, image) GROUP BY written.id HAVING NOT pg_catalog.bool_or(coalesce(
        (SELECT pg_catalog.record_send(present.*) = written.image FROM %s AS present WHERE %s), $3)))',
        relation::regclass, mesh.has_id(relation, key, 'present', 'written.id')) INTO overtaken USING ids, images, may_be_gone;
    IF NOT overtaken THEN RETURN; END IF;
    RAISE EXCEPTION 'a trigger changed rows of % that the statement which fired it had just written', mesh.name_of(relation)
        USING ERRCODE = '0A000', TABLE = mesh.name_of(relation),
              DETAIL = 'Their events would come before those of the statement, which are older.',
              HINT = 'Change the rows in a BEFORE trigger, or write them one by one.';
END;
$$;
COMMENT ON FUNCTION mesh.refuse_overtaken(OID, NAME[], BOOLEAN, TEXT[], BYTEA[]) IS
    'Raises 0A000 where a row is no longer as the statement has written it (images: record_send of its rows). may_be_gone: foreign keys delete such rows beside it.';

CREATE FUNCTION mesh.refuse_overtaken(relation OID, key NAME, may_be_gone BOOLEAN, ids TEXT[], images BYTEA[]) RETURNS VOID
LANGUAGE sql
RETURN mesh.refuse_overtaken(relation, ARRAY[key], may_be_gone, ids, images);
COMMENT ON FUNCTION mesh.refuse_overtaken(OID, NAME, BOOLEAN, TEXT[], BYTEA[]) IS 'The same, of a key of one column.';

CREATE FUNCTION mesh.gone(relation OID, key NAME[], ids TEXT[]) RETURNS TEXT[]
LANGUAGE plpgsql AS $$
DECLARE
    found TEXT[];
BEGIN
    EXECUTE pg_catalog.format('SELECT coalesce(pg_catalog.array_agg(given.id), ''{}'') FROM pg_catalog.unnest($1) AS given (id)
        WHERE (SELECT true FROM %s AS present WHERE %s) IS NULL',
        relation::regclass, mesh.has_id(relation, key, 'present', 'given.id')) INTO found USING ids;
    RETURN found;
END;
$$;
COMMENT ON FUNCTION mesh.gone(OID, NAME[], TEXT[]) IS
    'Which of the rows are no more. One foreign key may set a row to NULL and another delete it in one statement, and the deletion''s event may be written first: no update is written of a row that is gone by now.';

CREATE FUNCTION mesh.gone(relation OID, key NAME, ids TEXT[]) RETURNS TEXT[]
LANGUAGE sql
RETURN mesh.gone(relation, ARRAY[key], ids);
COMMENT ON FUNCTION mesh.gone(OID, NAME, TEXT[]) IS 'The same, of a key of one column.';

CREATE FUNCTION mesh.refuse_payload(table_name NAME, column_name NAME, event TEXT, constraint_name NAME) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
    -- 23514 check_violation
    RAISE EXCEPTION 'new row for relation "%" breaks the rules that % has for %', table_name, event, column_name
        USING ERRCODE = '23514', TABLE = table_name, COLUMN = column_name, CONSTRAINT = constraint_name;
END;
$$;
COMMENT ON FUNCTION mesh.refuse_payload(NAME, NAME, TEXT, NAME) IS
    'Always raises 23514: a row that means an event has a value that the payload of the event does not allow.';

CREATE FUNCTION mesh.type_of(relation OID, key NAME) RETURNS TEXT
LANGUAGE sql STABLE
RETURN (SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = relation AND attname = key);
COMMENT ON FUNCTION mesh.type_of(OID, NAME) IS 'Type of a column, as SQL.';

CREATE FUNCTION mesh.has_id(relation OID, key NAME[], alias TEXT, id TEXT) RETURNS TEXT
LANGUAGE sql STABLE
RETURN (
    SELECT pg_catalog.string_agg(pg_catalog.format('%s.%I = %s::%s', alias, name,
        CASE WHEN pg_catalog.cardinality(key) = 1 THEN id ELSE pg_catalog.format('mesh.part_of_id(%s, %s)', id, place) END, mesh.type_of(relation, name)), ' AND ')
    FROM pg_catalog.unnest(key) WITH ORDINALITY AS part (name, place)
);
COMMENT ON FUNCTION mesh.has_id(OID, NAME[], TEXT, TEXT) IS 'SQL: whether the row of this alias is the one with the id, another expression.';

CREATE FUNCTION mesh.name_of(relation OID) RETURNS NAME
LANGUAGE sql STABLE
RETURN (SELECT relname FROM pg_class WHERE oid = relation);
COMMENT ON FUNCTION mesh.name_of(OID) IS 'Name of a table, without its schema.';
`;
