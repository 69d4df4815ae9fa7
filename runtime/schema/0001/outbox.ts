/** The owner's side: a row and its events commit together. */
export const OUTBOX = `CREATE TABLE mesh.outbox (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    UUID NOT NULL,
    subject     TEXT COLLATE "C" NOT NULL,
    entity      TEXT COLLATE "C" NOT NULL,
    entity_id   TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    body        TEXT NOT NULL,
    headers     JSONB,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- Its name is what the error shows. Room is left above: a counter there can still be told from the next one.
    CONSTRAINT "version within 2^52 (see mesh lower-versions)" CHECK (version <= 4503599627370496)
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
COMMENT ON CONSTRAINT "version within 2^52 (see mesh lower-versions)" ON mesh.outbox IS
    'Nothing counts that far: a forged or broken event was taken for the newest one, and no subscriber would take what follows it.';

CREATE TABLE mesh.entity_version (
    entity        TEXT COLLATE "C" NOT NULL,
    entity_id     TEXT COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL,
    born          BIGINT,
    gone_at       TIMESTAMPTZ,
    gone_version  BIGINT,
    PRIMARY KEY (entity, entity_id)
) WITH (fillfactor = 90);
COMMENT ON TABLE mesh.entity_version IS
    'Version of the last event of each entity. Kept past its deletion, so that a re-creation goes on counting.';
COMMENT ON COLUMN mesh.entity_version.born IS
    'Version at which the present life of the entity began, told by snapshots beside its version: whoever knows an older version knows a former life. Never above version. NULL, or that of a former life, where the beginning had no event: a life that is not told apart destroys nothing, one that is made up does.';
COMMENT ON COLUMN mesh.entity_version.gone_at IS
    'When the background work first met this counter without its row. Of no meaning unless gone_version is version.';

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
`;
