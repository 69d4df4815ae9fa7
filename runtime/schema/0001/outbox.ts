import { HIGHEST_VERSION } from "../../values/version.js";

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
    -- Its name is what the error shows. Room is left above: a counter there is still distinct from the next one.
    CONSTRAINT "version within 2^52 (see mesh lower-versions)" CHECK (version <= ${HIGHEST_VERSION})
) WITH (
    -- A queue: rows live for milliseconds, so dead ones count in absolute numbers, not as a share of the table.
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);
COMMENT ON TABLE mesh.outbox IS
    'Events that are committed and not yet acknowledged by JetStream. A row is written in the transaction of the rows that it tells about; the relay publishes it and deletes it after the acknowledgement.';
COMMENT ON COLUMN mesh.outbox.seq IS 'Order of publishing. Events of one entity have rising seq and rising version together, because whoever takes its next version holds the counter''s row until commit. The sequence must never be cached per session: that would break the order.';
COMMENT ON COLUMN mesh.outbox.event_id IS 'metadata.event_id of the message, and its Nats-Msg-Id header.';
COMMENT ON COLUMN mesh.outbox.subject IS 'Subject on which the event is published: auth.user.V1StGXR8.created';
COMMENT ON COLUMN mesh.outbox.entity IS 'Service and entity: auth.user';
COMMENT ON COLUMN mesh.outbox.entity_id IS 'Id of the entity, as it is: the subject has it percent-encoded.';
COMMENT ON COLUMN mesh.outbox.version IS 'metadata.version of the message: 1 for the first event of the entity, then one more for each.';
COMMENT ON COLUMN mesh.outbox.body IS 'The message, byte for byte. Text, since jsonb would reorder its keys.';
COMMENT ON COLUMN mesh.outbox.headers IS 'Headers that the message gets beside Nats-Msg-Id, as the transaction has set them (mesh.set_cause): {"traceparent": "..."}; NULL for none.';
COMMENT ON COLUMN mesh.outbox.created_at IS 'When the transaction began that wrote the event.';
COMMENT ON CONSTRAINT "version within 2^52 (see mesh lower-versions)" ON mesh.outbox IS
    'Nothing counts that far: a forged or broken event was taken for the newest one, and no subscriber would take what follows it.';

CREATE TABLE mesh.entity_version (
    entity        TEXT COLLATE "C" NOT NULL,
    entity_id     TEXT COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL,
    first_version BIGINT,
    gone_at       TIMESTAMPTZ,
    gone_version  BIGINT,
    PRIMARY KEY (entity, entity_id)
) WITH (fillfactor = 90);
COMMENT ON TABLE mesh.entity_version IS
    'The counter of each entity that this service owns. Kept past the deletion of the entity, so that a re-creation goes on counting; forgotten when the tombstones of its stream are.';
COMMENT ON COLUMN mesh.entity_version.entity IS 'Service and entity: auth.user';
COMMENT ON COLUMN mesh.entity_version.entity_id IS 'Id of the entity.';
COMMENT ON COLUMN mesh.entity_version.version IS 'Version of the last event of the entity.';
COMMENT ON COLUMN mesh.entity_version.first_version IS 'Version at which the present incarnation of the entity began. Snapshots send it beside the version: whoever knows an older version knows a former incarnation. Never above version. NULL, or that of a former incarnation, where the beginning had no event: an incarnation that is not recognised destroys nothing, one that is made up does.';
COMMENT ON COLUMN mesh.entity_version.gone_at IS 'When the background work first met this counter without its row. Means nothing unless gone_version is version.';
COMMENT ON COLUMN mesh.entity_version.gone_version IS 'The version that the counter had then.';

CREATE TABLE mesh.broker (
    one              BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    max_event_bytes  INTEGER NOT NULL DEFAULT 1048064 CHECK (max_event_bytes >= 512)
);
COMMENT ON TABLE mesh.broker IS
    'One row: what the relay last learned of the broker.';
COMMENT ON COLUMN mesh.broker.one IS 'Always true: there is one row.';
COMMENT ON COLUMN mesh.broker.max_event_bytes IS 'Largest body that is accepted, in bytes: max_payload of the broker less 512 bytes for headers. Never below 512: a body of up to 512 bytes is accepted without reading this. Default 1048064.';
INSERT INTO mesh.broker DEFAULT VALUES;

CREATE TABLE mesh.relay (
    one                BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    notify_suppressed  BOOLEAN NOT NULL DEFAULT false,
    stream             TEXT,
    stream_created     TEXT,
    minimum_version    BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
COMMENT ON TABLE mesh.relay IS
    'One row: the state of the one active relay of this service. Each trigger reads it, so it is written rarely: while a transaction holds back vacuum, every former version of it would be read too.';
COMMENT ON COLUMN mesh.relay.one IS 'Always true: there is one row.';
COMMENT ON COLUMN mesh.relay.notify_suppressed IS 'Notify suppression: the relay polls so often that a commit needs no NOTIFY, which takes a lock across the whole server.';
COMMENT ON COLUMN mesh.relay.stream IS 'Name of the stream that it publishes to; NULL before the first connection.';
COMMENT ON COLUMN mesh.relay.stream_created IS 'When the broker made the stream, as the broker says it: another value is another stream. Text: timestamptz would cut its nanoseconds, and every stream would look recreated.';
COMMENT ON COLUMN mesh.relay.minimum_version IS 'Every next version exceeds this. Raised when the stream has newer versions than a restored database.';
INSERT INTO mesh.relay DEFAULT VALUES;

CREATE TABLE mesh.relay_progress (
    one          BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    last_seq     BIGINT NOT NULL DEFAULT 0,
    released_to  BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
COMMENT ON TABLE mesh.relay_progress IS
    'One row: how far the relay has come, written about once a second.';
COMMENT ON COLUMN mesh.relay_progress.one IS 'Always true: there is one row.';
COMMENT ON COLUMN mesh.relay_progress.last_seq IS 'Stream sequence up to which all events are known to be acknowledged.';
COMMENT ON COLUMN mesh.relay_progress.released_to IS 'mesh.outbox.seq up to which all rows are deleted. Whoever counts what waits begins here, not at deleted rows that vacuum has not removed.';
INSERT INTO mesh.relay_progress DEFAULT VALUES;
`;
