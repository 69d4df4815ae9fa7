/** What the emitted trigger functions and the runtime call to write an event. */
export const EVENT_FUNCTIONS = `CREATE FUNCTION mesh.escape_token(value TEXT) RETURNS TEXT
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bytes BYTEA := convert_to(value, 'UTF8');
    token TEXT;
BEGIN
    IF value = '' THEN
        -- 22023 invalid_parameter_value
        RAISE EXCEPTION 'an empty id cannot be a token of a subject' USING ERRCODE = '22023';
    END IF;
    SELECT string_agg(
               CASE
                   WHEN byte BETWEEN 33 AND 126 AND byte NOT IN (37, 42, 46, 62) THEN chr(byte) -- not % * . >
                   ELSE '%' || lpad(upper(to_hex(byte)), 2, '0')
               END, '' ORDER BY byte_index)
    INTO token
    FROM generate_series(0, length(bytes) - 1) AS byte_index
    CROSS JOIN LATERAL get_byte(bytes, byte_index) AS byte;
    IF length(token) > 2048 THEN
        -- 54000 program_limit_exceeded
        RAISE EXCEPTION 'an id of % bytes is too long for a subject', length(bytes)
            USING ERRCODE = '54000',
                  DETAIL = format('It becomes a token of %s bytes; 2048 fit a line of the broker''s protocol.', length(token));
    END IF;
    RETURN token;
END;
$$;
COMMENT ON FUNCTION mesh.escape_token(TEXT) IS
    'mesh.token for ids with characters that a subject cannot hold. Raises 22023 for an empty id, 54000 for one that is too long.';

-- Not STRICT, and without SET: either would keep the planner from inlining it.
CREATE FUNCTION mesh.token(value TEXT) RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN pg_catalog.octet_length(value) <= 2048 AND value ~ '^[-!-$&-),+/-=?-~]+$' THEN value
    ELSE mesh.escape_token(value)
END;
COMMENT ON FUNCTION mesh.token(TEXT) IS
    'An id as one token of a subject: ".", "*", ">", "%", white space, control characters and non-ASCII are percent-encoded as UTF-8 bytes; every other id is itself. The bytes are those of the runtime''s subjects.';

-- Not STRICT, and without SET, so that they are inlined.
CREATE FUNCTION mesh.id_part(value TEXT) RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.replace(pg_catalog.replace(value, '%', '%25'), ':', '%3A');
COMMENT ON FUNCTION mesh.id_part(TEXT) IS
    'The value of one of several key columns as it stands in the entity''s id, whose parts are joined by ":". The bytes are those of the runtime.';

CREATE FUNCTION mesh.part_of_id(id TEXT, place INTEGER) RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.replace(pg_catalog.replace(pg_catalog.split_part(id, ':', place), '%3A', ':'), '%25', '%');
COMMENT ON FUNCTION mesh.part_of_id(TEXT, INTEGER) IS 'The value of a key column in the id of an entity whose key has several: the first is 1.';

CREATE FUNCTION mesh.refuse_event(subject TEXT, bytes INTEGER, max_event_bytes INTEGER) RETURNS TEXT
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- 54000 program_limit_exceeded: the transaction fails now, or the event would wedge the relay for ever.
    RAISE EXCEPTION 'the event on % has % bytes, the broker takes at most %', subject, bytes, max_event_bytes
        USING ERRCODE = '54000',
              HINT = 'Store less in the columns of its payload, or raise max_payload of the broker: the relay learns it on its next connection.';
END;
$$;
COMMENT ON FUNCTION mesh.refuse_event(TEXT, INTEGER, INTEGER) IS
    'Always raises 54000: an event is refused with the transaction that would write it.';

CREATE FUNCTION mesh.fit_large_event(subject TEXT, body TEXT) RETURNS TEXT
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bytes           INTEGER := octet_length(body);
    max_event_bytes INTEGER := (SELECT broker.max_event_bytes FROM mesh.broker);
BEGIN
    IF bytes > max_event_bytes THEN
        RETURN mesh.refuse_event(subject, bytes, max_event_bytes);
    END IF;
    RETURN body;
END;
$$;
COMMENT ON FUNCTION mesh.fit_large_event(TEXT, TEXT) IS 'mesh.fit_event for bodies of more than 512 bytes.';

-- Inlined, like mesh.token: most events never leave the calling statement.
CREATE FUNCTION mesh.fit_event(subject TEXT, body TEXT) RETURNS TEXT
LANGUAGE sql
RETURN CASE WHEN pg_catalog.octet_length(body) <= 512 THEN body ELSE mesh.fit_large_event(subject, body) END;
COMMENT ON FUNCTION mesh.fit_event(TEXT, TEXT) IS 'The body itself, or 54000 where the broker would not take it.';

-- A function in SQL would be planned at each call.
CREATE FUNCTION mesh.next_version(entity TEXT, entity_id TEXT) RETURNS BIGINT
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    next_version BIGINT;
BEGIN
    INSERT INTO mesh.entity_version AS known (entity, entity_id, version)
    SELECT $1, $2, relay.minimum_version + 1 FROM mesh.relay
    ON CONFLICT (entity, entity_id) DO UPDATE SET version = greatest(known.version + 1, excluded.version)
    RETURNING known.version INTO next_version;
    RETURN next_version;
END;
$$;
COMMENT ON FUNCTION mesh.next_version(TEXT, TEXT) IS
    'Takes the next version of one entity; its counter stays locked until commit, which is what orders the events of one entity.';

-- How many digits a text of a double has is the writer's setting, which a rule must not depend on.
CREATE FUNCTION mesh.decimal_of(value DOUBLE PRECISION) RETURNS NUMERIC
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS 'SELECT value::text::numeric';
COMMENT ON FUNCTION mesh.decimal_of(DOUBLE PRECISION) IS 'The number with the digits that a message shows of it.';

CREATE FUNCTION mesh.decimal_of(value REAL) RETURNS NUMERIC
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS 'SELECT value::text::numeric';
COMMENT ON FUNCTION mesh.decimal_of(REAL) IS 'The same, of a number of single precision, which has fewer.';

-- The alphabet and length of the npm package nanoid. Of a UUID's bytes, 6 and 8 hold its version and variant.
CREATE FUNCTION mesh.nanoid() RETURNS TEXT LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
SELECT string_agg(substr('useandom-26T198340PX75pxJACKVERYMINDBUSHWOLF_GQZbfghjklqvwyzrict', (get_byte(drawn.bytes, place) & 63) + 1, 1), '')
FROM (SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) AS bytes OFFSET 0) AS drawn,
    unnest('{0,1,2,3,4,5,7,9,10,11,12,13,14,15,16,17,18,19,20,21,23}'::int[]) AS place;
$$;
COMMENT ON FUNCTION mesh.nanoid() IS 'A random id of 21 characters that need no escape in a URL: the key of a row that names none, where mesh.yaml says default: nanoid.';

-- Without SET, so that it is inlined; hence the schema of what takes any array: a function for one kind of array alone would come first.
CREATE FUNCTION mesh.is_list(value ANYARRAY) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT CASE WHEN pg_catalog.array_ndims(value) > 1 THEN FALSE ELSE pg_catalog.array_position(value, NULL) IS NULL AND coalesce(pg_catalog.array_lower(value, 1), 1) = 1 END';
COMMENT ON FUNCTION mesh.is_list(ANYARRAY) IS 'Whether a JSON list tells all of the array: it has one dimension, begins at 1 and holds no NULL.';

CREATE FUNCTION mesh.is_document(value JSONB, may_be_null BOOLEAN) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
'SELECT may_be_null OR pg_catalog.jsonb_typeof(value) <> ''null''';
COMMENT ON FUNCTION mesh.is_document(JSONB, BOOLEAN) IS 'Whether a message can carry the JSON. may_be_null: also the JSON value null.';

CREATE FUNCTION mesh.is_document(value JSON, may_be_null BOOLEAN) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN jsonb_typeof(value::jsonb) <> 'null' OR may_be_null;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
    RETURN false;
END;
$$;
COMMENT ON FUNCTION mesh.is_document(JSON, BOOLEAN) IS 'The same, of a text of which jsonb may not take all: a NUL, half of a surrogate pair.';

-- Not STRICT, and without SET, so that it is inlined; of its arguments only the cheap ones stand in it twice.
CREATE FUNCTION mesh.message(event_id UUID, entity_id TEXT, source TEXT, version BIGINT, payload TEXT) RETURNS TEXT
LANGUAGE sql STABLE
RETURN pg_catalog.format('{"metadata":{"event_id":"%s","entity_id":%s,"timestamp":%s,"source":%s,"version":%s}%s',
    event_id, pg_catalog.to_json(entity_id), pg_catalog.floor(pg_catalog.date_part('epoch', now()))::bigint, pg_catalog.to_json(source), version,
    CASE payload WHEN '{}' THEN '}' ELSE ',' || pg_catalog.substr(payload, 2) END);
COMMENT ON FUNCTION mesh.message(UUID, TEXT, TEXT, BIGINT, TEXT) IS
    'The body of an event: the metadata, then the members of the payload, which is a JSON object. The timestamp is the transaction''s, in unix seconds.';

-- The function of a table (mesh.on_users) runs once per statement and hands the rows that mean an event to mesh.emit,
-- 10,000 at a time. Its plans serve one row as well as millions: hence no nested loops, which would take rows times
-- rows, no hashed groups, which would hold all rows in memory, and no compilation.
-- One array of these is one aggregate for the caller: each costs as much as a statement where one row is written.
CREATE TYPE mesh.new_event AS (id TEXT, payload TEXT, begins_incarnation BOOLEAN);
COMMENT ON TYPE mesh.new_event IS
    'An event that a row means: id of the entity, payload as a JSON object, and whether an incarnation of the entity begins with it.';

CREATE FUNCTION mesh.emit(entity TEXT, action TEXT, source TEXT, events mesh.new_event[]) RETURNS VOID
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    event         mesh.new_event := events[1];
    version       BIGINT;
    new_id        UUID;
    new_subject   TEXT;
    new_body      TEXT;
    is_suppressed BOOLEAN;
    versions      BIGINT[];
    counted_ids   TEXT[];
BEGIN
    IF pg_catalog.cardinality(events) = 1 THEN
        -- Fast path: by far the most statements write one row, and each node of a plan costs as much as a row.
        -- Most counters are there already, and an upsert logs a lock of the row that it updates.
        IF NOT event.begins_incarnation THEN
            UPDATE mesh.entity_version AS known SET version = greatest(known.version, relay.minimum_version) + 1
            FROM mesh.relay WHERE known.entity = emit.entity AND known.entity_id = event.id
            RETURNING known.version, gen_random_uuid(), relay.notify_suppressed INTO version, new_id, is_suppressed;
        END IF;
        IF version IS NULL THEN
            INSERT INTO mesh.entity_version AS known (entity, entity_id, version, first_version)
            SELECT emit.entity, event.id, relay.minimum_version + 1, CASE WHEN event.begins_incarnation THEN relay.minimum_version + 1 END FROM mesh.relay
            ON CONFLICT (entity, entity_id) DO UPDATE SET version = greatest(known.version + 1, excluded.version),
                first_version = CASE WHEN excluded.first_version IS NULL THEN known.first_version ELSE greatest(known.version + 1, excluded.version) END
            RETURNING known.version, gen_random_uuid(), (SELECT relay.notify_suppressed FROM mesh.relay) INTO version, new_id, is_suppressed;
        END IF;
        new_subject := emit.entity || '.' || mesh.token(event.id) || '.' || action;
        new_body := mesh.message(new_id, event.id, source, version, event.payload);
        INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body, headers)
        VALUES (new_id, new_subject, emit.entity, event.id, version, mesh.fit_event(new_subject, new_body), mesh.cause());
        -- Assigned, since PERFORM would start an executor for it.
        IF NOT is_suppressed THEN is_suppressed := pg_catalog.pg_notify('mesh_outbox', '') IS NULL; END IF;
    ELSIF pg_catalog.cardinality(events) > 1 THEN
        WITH counted AS (
            INSERT INTO mesh.entity_version AS known (entity, entity_id, version, first_version)
            SELECT emit.entity, new_event.id, relay.minimum_version + 1, CASE WHEN new_event.begins_incarnation THEN relay.minimum_version + 1 END
            FROM mesh.relay CROSS JOIN pg_catalog.unnest(events) AS new_event
            ON CONFLICT (entity, entity_id) DO UPDATE SET version = greatest(known.version + 1, excluded.version),
                first_version = CASE WHEN excluded.first_version IS NULL THEN known.first_version ELSE greatest(known.version + 1, excluded.version) END
            RETURNING known.version, known.entity_id
        )
        SELECT pg_catalog.array_agg(counted.version), pg_catalog.array_agg(counted.entity_id) INTO versions, counted_ids FROM counted;
        -- Versions and events meet by their ordinal, which spares a join; PostgreSQL returns rows as they were given.
        ASSERT counted_ids = ARRAY(SELECT new_event.id FROM pg_catalog.unnest(events) AS new_event), 'versions came in another order than events';
        PERFORM mesh.write_events(emit.entity, action, source, events, versions);
    END IF;
END;
$$;
COMMENT ON FUNCTION mesh.emit(TEXT, TEXT, TEXT, mesh.new_event[]) IS
    'Writes events, no two of one entity: takes the next version of each entity, whose counter stays locked until commit, which orders the events of an entity; writes the outbox; wakes the relay.';

CREATE FUNCTION mesh.emit_about(entity TEXT, action TEXT, source TEXT, events mesh.new_event[]) RETURNS VOID
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    versions BIGINT[];
BEGIN
    IF events IS NULL THEN RETURN; END IF;
    WITH numbered AS MATERIALIZED (
        SELECT new_event.id, new_event.ordinal,
            row_number() OVER (PARTITION BY new_event.id ORDER BY new_event.ordinal) - count(*) OVER (PARTITION BY new_event.id) AS steps_back
        FROM pg_catalog.unnest(events) WITH ORDINALITY AS new_event (id, payload, begins_incarnation, ordinal)
    ), counted AS (
        INSERT INTO mesh.entity_version AS known (entity, entity_id, version)
        SELECT emit_about.entity, numbered.id, relay.minimum_version + count(*) FROM numbered CROSS JOIN mesh.relay GROUP BY numbered.id, relay.minimum_version ORDER BY numbered.id COLLATE "C"
        ON CONFLICT (entity, entity_id) DO UPDATE
            SET version = greatest(known.version, (SELECT relay.minimum_version FROM mesh.relay)) + excluded.version - (SELECT relay.minimum_version FROM mesh.relay)
        RETURNING known.entity_id, known.version
    )
    SELECT pg_catalog.array_agg(counted.version + numbered.steps_back ORDER BY numbered.ordinal) INTO versions
    FROM numbered JOIN counted ON counted.entity_id = numbered.id;
    PERFORM mesh.write_events(emit_about.entity, action, source, events, versions);
END;
$$;
COMMENT ON FUNCTION mesh.emit_about(TEXT, TEXT, TEXT, mesh.new_event[]) IS
    'As mesh.emit, for rows that name the entity of their events in a column: several may name one, and each is an event of its own. None of them begins an incarnation.';

CREATE FUNCTION mesh.write_events(entity TEXT, action TEXT, source TEXT, events mesh.new_event[], versions BIGINT[]) RETURNS VOID
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- OFFSET 0 is a fence: each id and each body is computed once.
    INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body, headers)
    SELECT event.event_id, event.subject, write_events.entity, event.id, event.version, mesh.fit_event(event.subject, event.body), (SELECT mesh.cause())
    FROM (
        SELECT new_event.*, write_events.entity || '.' || mesh.token(new_event.id) || '.' || action AS subject,
            mesh.message(new_event.event_id, new_event.id, source, new_event.version, new_event.payload) AS body
        FROM (
            SELECT gen_random_uuid() AS event_id, new_event.* FROM unnest(events, versions) AS new_event (id, payload, begins_incarnation, version) OFFSET 0
        ) AS new_event
        OFFSET 0
    ) AS event;
    PERFORM pg_catalog.pg_notify('mesh_outbox', '') FROM mesh.relay WHERE NOT relay.notify_suppressed;
END;
$$;
COMMENT ON FUNCTION mesh.write_events(TEXT, TEXT, TEXT, mesh.new_event[], BIGINT[]) IS
    'Writes events with their versions to the outbox, in the order of the arrays, and wakes the relay.';

CREATE FUNCTION mesh.note_depth(relation OID, depth INTEGER) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    setting TEXT := 'mesh.depth_' || relation;
    deepest INTEGER := coalesce(nullif(pg_catalog.current_setting(setting, true), ''), '1')::integer;
BEGIN
    IF depth > deepest THEN PERFORM pg_catalog.set_config(setting, depth::text, true); END IF;
    RETURN deepest > depth;
END;
$$;
COMMENT ON FUNCTION mesh.note_depth(OID, INTEGER) IS
    'Notes for the transaction how deep within triggers events of the table were written; true where that was deeper than here.';

-- Inlined: all but rows that triggers write never leave the calling expression.
CREATE FUNCTION mesh.emitted_within(relation OID, table_schema NAME, table_name NAME, own_table NAME, own_schema NAME DEFAULT NULL) RETURNS BOOLEAN
LANGUAGE sql
RETURN CASE
    WHEN table_name <> own_table OR table_schema <> coalesce(own_schema, mesh.home()) THEN mesh.refuse_table(own_table, relation)
    WHEN pg_trigger_depth() = 1 AND coalesce(pg_catalog.current_setting('mesh.depth_' || relation, true), '') = '' THEN false
    ELSE mesh.note_depth(relation, pg_trigger_depth())
END;
COMMENT ON FUNCTION mesh.emitted_within(OID, NAME, NAME, NAME, NAME) IS
    'Whether events of the table were written deeper within triggers than here, in this transaction. Raises 39P01 in a trigger of any other table than the function''s own.';
`;
