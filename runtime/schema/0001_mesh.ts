/**
 * The `mesh` schema of a service's database: what emits, relays, applies and remembers events.
 *
 * Immutable once released: its sha256 is in every ledger. A change is a new numbered file beside it.
 * Text that names ids is COLLATE "C": such ids are only ever compared for equality, and byte order
 * makes their indexes independent of the operating system's locale (and faster).
 */
export const MESH_0001 = `-- The owner's side: rows and their events commit together.

CREATE TABLE mesh.outbox (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    UUID NOT NULL,
    subject     TEXT COLLATE "C" NOT NULL,
    entity      TEXT COLLATE "C" NOT NULL,
    entity_id   TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    body        TEXT NOT NULL,
    headers     JSONB,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now()
) WITH (
    -- A queue: rows live for milliseconds, so dead ones count in absolute numbers, not as a share of the table.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);
COMMENT ON TABLE mesh.outbox IS
    'Events that are committed and not yet acknowledged by JetStream; the relay removes a row after its ack.';
COMMENT ON COLUMN mesh.outbox.seq IS
    'Order of publishing. Events of one entity have rising seq and rising version together, because whoever takes its next version holds the counter''s row until commit. The sequence must never be cached per session: that would break it.';
COMMENT ON COLUMN mesh.outbox.event_id IS 'metadata.event_id, and the Nats-Msg-Id header.';
COMMENT ON COLUMN mesh.outbox.entity IS 'Owner and entity: auth.user';
COMMENT ON COLUMN mesh.outbox.body IS 'The message, byte for byte: text, since jsonb would reorder its keys.';
COMMENT ON COLUMN mesh.outbox.headers IS 'What travels and is not documented: {"traceparent": "..."}';

CREATE TABLE mesh.entity_version (
    entity     TEXT COLLATE "C" NOT NULL,
    entity_id  TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    PRIMARY KEY (entity, entity_id)
) WITH (fillfactor = 90);
COMMENT ON TABLE mesh.entity_version IS
    'Version of the last event of each entity. Kept past its deletion, so that a re-creation goes on counting.';

CREATE TABLE mesh.broker (
    one              BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    max_event_bytes  INTEGER NOT NULL DEFAULT 1048064 CHECK (max_event_bytes >= 512)
);
COMMENT ON TABLE mesh.broker IS 'One row: what the relay last learned of the broker.';
COMMENT ON COLUMN mesh.broker.max_event_bytes IS
    'Largest body that is accepted: the broker''s max_payload less 512 bytes for headers. Never below 512: up to there an event is written without looking here.';
INSERT INTO mesh.broker DEFAULT VALUES;

CREATE TABLE mesh.relay (
    one             BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    busy            BOOLEAN NOT NULL DEFAULT false,
    stream          TEXT,
    stream_created  TEXT,
    last_seq        BIGINT NOT NULL DEFAULT 0,
    version_floor   BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
COMMENT ON TABLE mesh.relay IS 'One row: the state of the one active relay of this database.';
COMMENT ON COLUMN mesh.relay.busy IS
    'The relay is draining and will look again by itself: commits spare themselves the NOTIFY, which takes a lock across the whole server.';
COMMENT ON COLUMN mesh.relay.stream_created IS
    'As the broker says it. Text: timestamptz would cut its nanoseconds, and every stream would look recreated.';
COMMENT ON COLUMN mesh.relay.last_seq IS 'Stream sequence of the last acknowledged event.';
COMMENT ON COLUMN mesh.relay.version_floor IS
    'Every next version exceeds this. Raised when the stream has newer versions than a restored database.';
INSERT INTO mesh.relay DEFAULT VALUES;

-- The consumer's side: effects, and what they were caused by, commit together.

CREATE TABLE mesh.applied (
    source      TEXT COLLATE "C" NOT NULL,
    entity_id   TEXT COLLATE "C" NOT NULL,
    version     BIGINT,
    exact       BOOLEAN NOT NULL DEFAULT false,
    deleted     BOOLEAN NOT NULL DEFAULT false,
    stream_seq  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (source, entity_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE mesh.applied IS
    'The order guard: the last event applied of each foreign entity. A row with stream_seq 0 and no version was never heard of: rows refer to it, and a snapshot that lacks it proves nothing.';
COMMENT ON COLUMN mesh.applied.source IS 'Owner and entity: auth.user';
COMMENT ON COLUMN mesh.applied.version IS 'Highest version known; NULL when none of its events carried one.';
COMMENT ON COLUMN mesh.applied.exact IS 'The last applied event carried a version.';
COMMENT ON COLUMN mesh.applied.deleted IS 'A tombstone: no row may refer to it until a true re-creation.';
COMMENT ON COLUMN mesh.applied.stream_seq IS
    'Effective sequence (mesh.subscription.seq_base + message sequence) of the last applied event.';

CREATE TABLE mesh.seen (
    event_id  TEXT COLLATE "C" PRIMARY KEY,
    seen_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX seen_seen_at_idx ON mesh.seen (seen_at);
COMMENT ON TABLE mesh.seen IS
    'Ids of applied events that carry no version: their duplicates are told by id. Text, for a foreign publisher''s id need not be a uuid.';

CREATE TABLE mesh.attempt (
    stream      TEXT COLLATE "C" NOT NULL,
    stream_seq  BIGINT NOT NULL,
    durable     TEXT COLLATE "C",
    origin      TEXT COLLATE "C" NOT NULL,
    entity_id   TEXT COLLATE "C" NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT,
    next_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, stream_seq)
);
CREATE INDEX attempt_origin_entity_id_idx ON mesh.attempt (origin, entity_id);
COMMENT ON TABLE mesh.attempt IS
    'Events whose handler failed and is due again. Written before each attempt, so that one that kills the process is counted too.';

CREATE TABLE mesh.dead_letter (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    durable      TEXT COLLATE "C" NOT NULL,
    stream       TEXT COLLATE "C" NOT NULL,
    stream_seq   BIGINT NOT NULL,
    subject      TEXT NOT NULL,
    headers      JSONB NOT NULL DEFAULT '{}',
    body         BYTEA NOT NULL,
    error        TEXT NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    origin       TEXT COLLATE "C",
    entity_id    TEXT COLLATE "C",
    failed_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    redriven_at  TIMESTAMPTZ,
    UNIQUE (durable, stream, stream_seq)
);
COMMENT ON TABLE mesh.dead_letter IS
    'Messages that were given up: written in a transaction before the message is terminated. Read with mesh dlq.';
COMMENT ON COLUMN mesh.dead_letter.stream_seq IS
    'Effective sequence, which a recreated stream does not use again; so a message has one dead letter per durable.';
COMMENT ON COLUMN mesh.dead_letter.body IS 'Bytes: what is in here need not be JSON, nor text.';

CREATE TABLE mesh.cascade_task (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin        TEXT COLLATE "C" NOT NULL,
    entity_id     TEXT COLLATE "C" NOT NULL,
    rule          TEXT COLLATE "C" NOT NULL,
    table_name    TEXT COLLATE "C" NOT NULL,
    row_key       TEXT COLLATE "C" NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    last_error    TEXT,
    next_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    leased_until  TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (rule, table_name, row_key)
);
CREATE INDEX cascade_task_next_at_idx ON mesh.cascade_task (next_at);
COMMENT ON TABLE mesh.cascade_task IS
    'Rows that a cascade dooms and whose "before" hook has not succeeded yet; the row stays until then.';
COMMENT ON COLUMN mesh.cascade_task.leased_until IS 'A worker is calling the hook; after this time another may.';

CREATE TABLE mesh.subscription (
    durable         TEXT COLLATE "C" PRIMARY KEY,
    stream          TEXT COLLATE "C" NOT NULL,
    stream_created  TEXT,
    seq_base        BIGINT NOT NULL DEFAULT 0,
    last_seq        BIGINT NOT NULL DEFAULT 0,
    snapshot_at     TIMESTAMPTZ,
    snapshot_seq    BIGINT,
    snapshot_rows   BIGINT,
    snapshot_error  TEXT
);
COMMENT ON TABLE mesh.subscription IS 'What each durable consumer reads, and how its last snapshot went.';
COMMENT ON COLUMN mesh.subscription.stream_created IS
    'As the broker says it: another value is another stream, whose sequences start again.';
COMMENT ON COLUMN mesh.subscription.seq_base IS
    'Added to message sequences. Raised when the stream was recreated or shortened, so that effective sequences never go back.';
COMMENT ON COLUMN mesh.subscription.last_seq IS 'Highest effective sequence applied.';

-- Functions. Trigger functions run as the schema's owner, so that a role needs rights on its tables alone;
-- their search_path is pinned, so that no object of that role can stand in for one of these.

CREATE FUNCTION mesh.escape_token(value TEXT) RETURNS TEXT
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

CREATE FUNCTION mesh.refuse_key_change() RETURNS TRIGGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- 0A000 feature_not_supported
    RAISE EXCEPTION 'TRUNCATE of %.% would remove rows without their events', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = '0A000', HINT = 'Use DELETE: it writes its events in one statement.',
              SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END;
$$;
COMMENT ON FUNCTION mesh.refuse_truncate() IS 'Always raises 0A000: truncating fires no row trigger, so no event could follow.';

CREATE FUNCTION mesh.refuse_deleted(source TEXT, ids TEXT[], table_name TEXT, column_name TEXT) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone TEXT;
BEGIN
    -- An id that was never heard of gets a row too: there must be something that a concurrent deletion has to wait for.
    INSERT INTO mesh.applied (source, entity_id)
    SELECT refuse_deleted.source, id FROM unnest(ids) AS id WHERE id IS NOT NULL GROUP BY id ORDER BY id
    ON CONFLICT DO NOTHING;
    -- FOR SHARE waits for a deletion in progress, and makes a later one wait for this transaction. "deleted"
    -- is read from the locked rows, after the wait: as a condition it would skip rows before locking them.
    SELECT min(locked.entity_id) FILTER (WHERE locked.deleted) INTO gone
    FROM (
        SELECT applied.entity_id, applied.deleted FROM mesh.applied
        WHERE applied.source = refuse_deleted.source AND applied.entity_id = ANY (ids)
        ORDER BY applied.entity_id
        FOR SHARE
    ) AS locked;
    IF gone IS NOT NULL THEN
        -- 23503 foreign_key_violation: what a foreign key within one database would say.
        RAISE EXCEPTION '%.% refers to % %, which is deleted', table_name, column_name, source, quote_literal(gone)
            USING ERRCODE = '23503', TABLE = table_name, COLUMN = column_name,
                  DETAIL = 'Its deletion was applied here, with its cascades; a row attached now would outlive them.';
    END IF;
END;
$$;
COMMENT ON FUNCTION mesh.refuse_deleted(TEXT, TEXT[], TEXT, TEXT) IS
    'Raises 23503 when one of the ids is deleted; otherwise none can be deleted until this transaction ends.';
REVOKE EXECUTE ON FUNCTION mesh.refuse_deleted(TEXT, TEXT[], TEXT, TEXT) FROM PUBLIC;
`;
