/** The consumer's side: an event's effects and the record of it commit together. */
export const INBOX = `CREATE TABLE mesh.applied (
    entity       TEXT COLLATE "C" NOT NULL,
    entity_id    TEXT COLLATE "C" NOT NULL,
    version      BIGINT,
    versioned    BOOLEAN NOT NULL DEFAULT false,
    deleted      BOOLEAN NOT NULL DEFAULT false,
    stream_seq   BIGINT,
    deleted_at   TIMESTAMPTZ,
    deleted_seq  BIGINT,
    PRIMARY KEY (entity, entity_id)
) WITH (fillfactor = 80);
COMMENT ON TABLE mesh.applied IS
    'The order guard: the last event applied of each entity of another service, written in the transaction of its effects. An event that is not newer than its row here changes nothing.';
COMMENT ON COLUMN mesh.applied.entity IS 'auth.user';
COMMENT ON COLUMN mesh.applied.version IS 'Highest version known; NULL when none of its events carried one, and for an entity that rows here only refer to.';
COMMENT ON COLUMN mesh.applied.versioned IS 'The last applied event carried a version, so "version" is where the entity stands.';
COMMENT ON COLUMN mesh.applied.deleted IS 'A tombstone: no row may refer to it until a true re-creation.';
COMMENT ON COLUMN mesh.applied.stream_seq IS
    'Effective sequence (mesh.subscription.seq_offset + message sequence) of the last applied event or snapshot row. NULL while there was none: with a version, a snapshot of a service without a copy found the entity alive; without one, rows here refer to it and no more is known.';
COMMENT ON COLUMN mesh.applied.deleted_at IS
    'When the background work first met this tombstone, which is forgotten once its stream''s "tombstones" have passed since. Of no meaning unless deleted_seq is stream_seq.';

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
    entity      TEXT COLLATE "C" NOT NULL,
    entity_id   TEXT COLLATE "C" NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT,
    next_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, stream_seq)
);
CREATE INDEX attempt_entity_entity_id_idx ON mesh.attempt (entity, entity_id);
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
    entity       TEXT COLLATE "C",
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
    entity        TEXT COLLATE "C" NOT NULL,
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
    durable          TEXT COLLATE "C" PRIMARY KEY,
    stream           TEXT COLLATE "C" NOT NULL,
    stream_created   TEXT,
    seq_offset       BIGINT NOT NULL DEFAULT 0,
    last_seq         BIGINT NOT NULL DEFAULT 0,
    snapshot_at      TIMESTAMPTZ,
    snapshot_seq     BIGINT,
    snapshot_rows    BIGINT,
    snapshot_unfit   BIGINT,
    snapshot_error   TEXT,
    snapshot_wanted  TEXT
);
COMMENT ON TABLE mesh.subscription IS 'What each durable consumer reads, and how its last snapshot went.';
COMMENT ON COLUMN mesh.subscription.stream_created IS
    'As the broker says it: another value is another stream, whose sequences start again.';
COMMENT ON COLUMN mesh.subscription.seq_offset IS
    'Added to message sequences. Raised when the stream was recreated or shortened, so that effective sequences never go back.';
COMMENT ON COLUMN mesh.subscription.last_seq IS 'Highest effective sequence applied.';
COMMENT ON COLUMN mesh.subscription.snapshot_error IS 'Why the last snapshot failed, or what failed in it; NULL when nothing did.';
COMMENT ON COLUMN mesh.subscription.snapshot_wanted IS
    'Why another snapshot is wanted: events were lost, or the copy lacks what only its source has. NULL once a snapshot has answered it.';
COMMENT ON COLUMN mesh.subscription.snapshot_unfit IS 'How many rows of its source the last snapshot could not take.';

CREATE TABLE mesh.unfit_row (
    durable    TEXT COLLATE "C" NOT NULL,
    place      BIGINT,
    entity_id  TEXT COLLATE "C",
    reason     TEXT NOT NULL,
    element    TEXT,
    seen_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX unfit_row_durable_idx ON mesh.unfit_row (durable);
COMMENT ON TABLE mesh.unfit_row IS
    'The first rows of a source that the last snapshot could not take: a copy keeps what it has of them. Written anew by each snapshot.';
COMMENT ON COLUMN mesh.unfit_row.place IS 'Among the elements of the source, from 1; NULL of a row that was found in the copy.';
COMMENT ON COLUMN mesh.unfit_row.entity_id IS 'NULL where it names no entity.';
COMMENT ON COLUMN mesh.unfit_row.element IS 'The start of what the source says of it.';
`;
