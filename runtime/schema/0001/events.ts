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
               END, '' ORDER BY place)
    INTO token
    FROM generate_series(0, length(bytes) - 1) AS place
    CROSS JOIN LATERAL get_byte(bytes, place) AS byte;
    IF length(token) > 2048 THEN
        -- 54000 program_limit_exceeded
        RAISE EXCEPTION 'an id of % bytes is too long for a subject', length(bytes)
            USING ERRCODE = '54000',
                  DETAIL = format('It becomes a token of %s bytes; 2048 fit a line of the broker''s protocol.', length(token));
    END IF;
    RETURN token;
END;
$$;

-- Not STRICT, and without SET: either would keep the planner from inlining it.
CREATE FUNCTION mesh.token(value TEXT) RETURNS TEXT
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN octet_length(value) <= 2048 AND value ~ '^[-!-$&-),+/-=?-~]+$' THEN value
    ELSE mesh.escape_token(value)
END;
COMMENT ON FUNCTION mesh.token(TEXT) IS
    'An id as one token of a subject: ".", "*", ">", "%", white space, control characters and non-ASCII are percent-encoded as UTF-8 bytes; every other id is itself. The bytes are those of the runtime''s subjects.';

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

-- Inlined, like mesh.token: most events never leave the calling statement.
CREATE FUNCTION mesh.fit_event(subject TEXT, body TEXT) RETURNS TEXT
LANGUAGE sql
RETURN CASE WHEN octet_length(body) <= 512 THEN body ELSE mesh.fit_large_event(subject, body) END;
COMMENT ON FUNCTION mesh.fit_event(TEXT, TEXT) IS 'The body itself, or 54000 where the broker would not take it.';

CREATE FUNCTION mesh.next_version(entity TEXT, entity_id TEXT) RETURNS BIGINT
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO mesh.entity_version AS known (entity, entity_id, version)
    SELECT $1, $2, relay.version_floor + 1 FROM mesh.relay
    ON CONFLICT (entity, entity_id) DO UPDATE SET version = greatest(known.version + 1, excluded.version)
    RETURNING known.version;
END;
COMMENT ON FUNCTION mesh.next_version(TEXT, TEXT) IS
    'Takes the next version of one entity; its counter stays locked until commit, which is what orders the events of one entity.';

-- How many digits a text of a double has is the writer's setting, which a rule must not depend on.
CREATE FUNCTION mesh.decimal_of(value DOUBLE PRECISION) RETURNS NUMERIC
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS 'SELECT value::text::numeric';
COMMENT ON FUNCTION mesh.decimal_of(DOUBLE PRECISION) IS 'The number with the digits that a message shows of it.';

-- A trigger of the user may change rows that the statement which fired it has just written: those changes are told
-- first, and the statement's own would be told last though they are older.
CREATE FUNCTION mesh.told_within(relation OID, depth INTEGER) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    setting TEXT := 'mesh.depth_' || relation;
    deepest INTEGER := coalesce(nullif(current_setting(setting, true), ''), '1')::integer;
BEGIN
    IF depth > deepest THEN PERFORM set_config(setting, depth::text, true); END IF;
    RETURN deepest > depth;
END;
$$;
COMMENT ON FUNCTION mesh.told_within(OID, INTEGER) IS
    'Notes for the transaction how deep within triggers events of the table were told; true where that was deeper than here.';
CREATE FUNCTION mesh.refuse_overtaken(table_name TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a trigger changed rows of % that the statement which fired it had just written', table_name
        USING ERRCODE = '0A000', TABLE = table_name,
              DETAIL = 'Its events would be told before those of the statement, which are older.',
              HINT = 'Change the rows in a BEFORE trigger, or write them one by one.';
END;
$$;
COMMENT ON FUNCTION mesh.refuse_overtaken(TEXT) IS 'Always raises 0A000.';
`;
