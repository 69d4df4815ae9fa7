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
    'The order guard: what is known of each entity of another service, from events, snapshots, or rows that refer to it; written in the transaction of the effects. An event that is not newer than its row here changes nothing.';
COMMENT ON COLUMN mesh.applied.entity IS 'Service and entity: auth.user. Of a named consumer, which shares nothing with others of the entity, its name behind a slash: orders.order/mailer';
COMMENT ON COLUMN mesh.applied.entity_id IS 'Id of the entity.';
COMMENT ON COLUMN mesh.applied.version IS 'Highest version known; NULL when none of its events carried one, for an entity that rows here only refer to, and once its owner''s versions are no longer trusted.';
COMMENT ON COLUMN mesh.applied.versioned IS 'The last applied event carried a version, so "version" is where the entity stands.';
COMMENT ON COLUMN mesh.applied.deleted IS 'A tombstone: no row may refer to the entity until a true re-creation.';
COMMENT ON COLUMN mesh.applied.stream_seq IS 'Effective sequence (mesh.subscription.seq_offset + message sequence) of the last applied event or snapshot row. NULL while there was none: with a version, a snapshot of a service without a copy found the entity alive; without one, rows here refer to it and no more is known.';
COMMENT ON COLUMN mesh.applied.deleted_at IS 'When the background work first met this tombstone, which is forgotten once the "tombstones" of its stream have passed since. Means nothing unless deleted_seq is stream_seq.';
COMMENT ON COLUMN mesh.applied.deleted_seq IS 'The stream_seq that the tombstone had then.';

CREATE TABLE mesh.seen (
    event_id  TEXT COLLATE "C" PRIMARY KEY,
    seen_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX seen_seen_at_idx ON mesh.seen (seen_at);
COMMENT ON TABLE mesh.seen IS
    'Ids of applied events that carry no version: their duplicates are recognised by id.';
COMMENT ON COLUMN mesh.seen.event_id IS 'metadata.event_id of the message, its subject, and of a named consumer its name, with spaces between: a foreign publisher may send one id for many events, and it need not be a uuid.';
COMMENT ON COLUMN mesh.seen.seen_at IS 'When the event was applied; rows are forgotten some time after the stream has.';

CREATE TABLE mesh.attempt (
    stream      TEXT COLLATE "C" NOT NULL,
    stream_seq  BIGINT NOT NULL,
    durable     TEXT COLLATE "C" NOT NULL,
    entity      TEXT COLLATE "C" NOT NULL,
    entity_id   TEXT COLLATE "C" NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT,
    next_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (durable, stream_seq)
);
CREATE INDEX attempt_entity_entity_id_idx ON mesh.attempt (entity, entity_id);
COMMENT ON TABLE mesh.attempt IS
    'Events that failed and are due for another attempt. An attempt at one event alone is recorded before it is made, so that one that kills the process is counted too; a failure in a batch of one is recorded after it.';
COMMENT ON COLUMN mesh.attempt.stream IS 'Stream of the message.';
COMMENT ON COLUMN mesh.attempt.stream_seq IS 'Effective sequence of the message.';
COMMENT ON COLUMN mesh.attempt.durable IS 'Durable consumer that received it.';
COMMENT ON COLUMN mesh.attempt.entity IS 'Service and entity, as in mesh.applied.';
COMMENT ON COLUMN mesh.attempt.entity_id IS 'Id of the entity: later events of the same entity wait for this one.';
COMMENT ON COLUMN mesh.attempt.attempts IS 'Attempts so far.';
COMMENT ON COLUMN mesh.attempt.last_error IS 'Why the last attempt failed; NULL while the first that was recorded is under way.';
COMMENT ON COLUMN mesh.attempt.next_at IS 'When the next attempt is due.';

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
    settled_as   TEXT CHECK (settled_as IN ('redriven', 'discarded')),
    settled_at   TIMESTAMPTZ,
    settled_by   TEXT,
    settled_why  TEXT,
    UNIQUE (durable, stream, stream_seq)
);
COMMENT ON TABLE mesh.dead_letter IS
    'Messages that are not tried again, written in a transaction before the message is terminated; and, with the durable "outbox", events of this service that its relay must not publish. Read with mesh dlq.';
COMMENT ON COLUMN mesh.dead_letter.id IS 'By which mesh dlq names it.';
COMMENT ON COLUMN mesh.dead_letter.durable IS 'Durable consumer that received the message; "outbox" of an event of this service that was never published.';
COMMENT ON COLUMN mesh.dead_letter.stream IS 'Stream of the message, or the one that it was to be published to.';
COMMENT ON COLUMN mesh.dead_letter.stream_seq IS 'Effective sequence, which a recreated stream does not use again; so a message has one dead letter per durable. With the durable "outbox" it is mesh.outbox.seq.';
COMMENT ON COLUMN mesh.dead_letter.subject IS 'Subject of the message.';
COMMENT ON COLUMN mesh.dead_letter.headers IS 'Headers of the message.';
COMMENT ON COLUMN mesh.dead_letter.body IS 'Body of the message. Bytes: it need not be JSON, nor text. Empty of one that was discarded.';
COMMENT ON COLUMN mesh.dead_letter.error IS 'Why it is not tried again.';
COMMENT ON COLUMN mesh.dead_letter.attempts IS 'Attempts that were made.';
COMMENT ON COLUMN mesh.dead_letter.entity IS 'Service and entity, as in mesh.applied; NULL where the message does not say.';
COMMENT ON COLUMN mesh.dead_letter.entity_id IS 'Id of the entity; NULL where the message does not say.';
COMMENT ON COLUMN mesh.dead_letter.failed_at IS 'When it became a dead letter.';
COMMENT ON COLUMN mesh.dead_letter.settled_as IS 'What an operator has done with it last: mesh dlq redrive has applied it, mesh dlq discard has let it go, with its body; NULL while it waits for one.';
COMMENT ON COLUMN mesh.dead_letter.settled_at IS 'When.';
COMMENT ON COLUMN mesh.dead_letter.settled_by IS 'Who.';
COMMENT ON COLUMN mesh.dead_letter.settled_why IS 'Why, where they have said so.';

CREATE FUNCTION mesh.discard_letter(letter BIGINT, by_whom TEXT, why TEXT) RETURNS BOOLEAN
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE mesh.dead_letter SET settled_as = 'discarded', settled_at = now(), settled_by = by_whom, settled_why = why, body = ''
    WHERE id = letter AND settled_as IS NULL;
    RETURN FOUND;
END;
$$;
COMMENT ON FUNCTION mesh.discard_letter(BIGINT, TEXT, TEXT) IS
    'Lets a dead letter go that waits for an operator: its body goes, the record of it stays. False where none of this id waits.';

CREATE TABLE mesh.cascade_task (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity        TEXT COLLATE "C" NOT NULL,
    entity_id     TEXT COLLATE "C" NOT NULL,
    hook          TEXT COLLATE "C" NOT NULL,
    table_name    TEXT COLLATE "C" NOT NULL,
    row_key       TEXT COLLATE "C" NOT NULL,
    cause         JSONB,
    attempts      INTEGER NOT NULL DEFAULT 0,
    last_error    TEXT,
    next_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    leased_until  TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (table_name, row_key, hook)
);
CREATE INDEX cascade_task_next_at_idx ON mesh.cascade_task (next_at);
COMMENT ON TABLE mesh.cascade_task IS
    'Rows that a cascade will delete and whose "before" hook has not succeeded yet; the row stays until then.';
COMMENT ON COLUMN mesh.cascade_task.id IS 'Order in which tasks were made.';
COMMENT ON COLUMN mesh.cascade_task.entity IS 'Service and entity whose deletion caused it: auth.user';
COMMENT ON COLUMN mesh.cascade_task.entity_id IS 'Id of the deleted entity.';
COMMENT ON COLUMN mesh.cascade_task.hook IS 'Name of the hook that the rule calls before the row goes.';
COMMENT ON COLUMN mesh.cascade_task.table_name IS 'Table of the row.';
COMMENT ON COLUMN mesh.cascade_task.row_key IS 'Key of the row, as text.';
COMMENT ON COLUMN mesh.cascade_task.cause IS 'Headers that name the event of the deletion: the row''s own event gets them; NULL where a snapshot found the deletion.';
COMMENT ON COLUMN mesh.cascade_task.attempts IS 'Calls of the hook so far.';
COMMENT ON COLUMN mesh.cascade_task.last_error IS 'Why the last call failed.';
COMMENT ON COLUMN mesh.cascade_task.next_at IS 'When the next call is due.';
COMMENT ON COLUMN mesh.cascade_task.leased_until IS 'Until then a worker is calling the hook; afterwards another may. NULL when none is.';
COMMENT ON COLUMN mesh.cascade_task.created_at IS 'When the deletion was applied.';

CREATE FUNCTION mesh.end_tasks(table_name TEXT, keys TEXT[]) RETURNS VOID
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM mesh.cascade_task AS task WHERE task.table_name = end_tasks.table_name AND task.row_key = ANY (keys);
END;
$$;
COMMENT ON FUNCTION mesh.end_tasks(TEXT, TEXT[]) IS
    'Of rows that were just inserted: a task of an earlier row with such a key was for that row alone.';

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
COMMENT ON TABLE mesh.subscription IS
    'What each durable consumer reads, and how its last snapshot went.';
COMMENT ON COLUMN mesh.subscription.durable IS 'Name of the durable consumer.';
COMMENT ON COLUMN mesh.subscription.stream IS 'Stream that it reads.';
COMMENT ON COLUMN mesh.subscription.stream_created IS 'When the broker made the stream, as the broker says it: another value is another stream, whose sequences start again.';
COMMENT ON COLUMN mesh.subscription.seq_offset IS 'Added to message sequences to make them effective sequences. Raised when the stream was recreated or shortened, so that effective sequences never go back.';
COMMENT ON COLUMN mesh.subscription.last_seq IS 'Highest effective sequence taken in hand; saved now and then, so it may lag. Events that wait for another try may lie below it.';
COMMENT ON COLUMN mesh.subscription.snapshot_at IS 'When the last snapshot ended; NULL before the first.';
COMMENT ON COLUMN mesh.subscription.snapshot_seq IS 'Effective sequence that the stream had when the last snapshot began: it holds what came up to there.';
COMMENT ON COLUMN mesh.subscription.snapshot_rows IS 'How many rows the last snapshot read.';
COMMENT ON COLUMN mesh.subscription.snapshot_unfit IS 'How many rows of its source the last snapshot could not take.';
COMMENT ON COLUMN mesh.subscription.snapshot_error IS 'Why the last snapshot failed, or what failed in it; NULL when nothing did.';
COMMENT ON COLUMN mesh.subscription.snapshot_wanted IS 'Why another snapshot is wanted: events were lost, or the copy lacks what only its source has. NULL once a snapshot has answered it.';

CREATE TABLE mesh.unheard (
    entity         TEXT COLLATE "C" NOT NULL,
    entity_id      TEXT COLLATE "C" NOT NULL,
    after_version  BIGINT NOT NULL,
    version        BIGINT NOT NULL,
    actions        TEXT[] NOT NULL,
    noted_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (entity, entity_id, version)
);
CREATE INDEX unheard_noted_at_idx ON mesh.unheard (noted_at);
COMMENT ON TABLE mesh.unheard IS
    'Versions of which hooks have not heard, though nothing of them is news: a snapshot overtook their events and could not make them from a row, or a later event was applied first. Where such an event comes after all its hook runs; a creation is also told by the next snapshot that can make its event.';
COMMENT ON COLUMN mesh.unheard.entity IS 'As in mesh.applied.';
COMMENT ON COLUMN mesh.unheard.entity_id IS 'Id of the entity.';
COMMENT ON COLUMN mesh.unheard.after_version IS 'The versions are later than this one.';
COMMENT ON COLUMN mesh.unheard.version IS 'The last of them.';
COMMENT ON COLUMN mesh.unheard.actions IS 'Actions of the events among them whose hooks have not heard.';
COMMENT ON COLUMN mesh.unheard.noted_at IS 'When it was noted; rows are forgotten some time after the stream has.';

CREATE TABLE mesh.told (
    entity            TEXT COLLATE "C" NOT NULL,
    entity_id         TEXT COLLATE "C" NOT NULL,
    changes           TEXT[] NOT NULL,
    creation_unheard  BOOLEAN NOT NULL,
    noted_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (entity, entity_id)
);
CREATE INDEX told_noted_at_idx ON mesh.told (noted_at);
COMMENT ON TABLE mesh.told IS
    'Of entities whose owners keep no versions: what snapshots have told hooks before the events came, and creations of which no hook has heard.';
COMMENT ON COLUMN mesh.told.entity IS 'As in mesh.applied.';
COMMENT ON COLUMN mesh.told.entity_id IS 'Id of the entity.';
COMMENT ON COLUMN mesh.told.changes IS 'create and delete, in the order in which snapshots told hooks of them: the next event of each changes the copy, and its hook does not run again.';
COMMENT ON COLUMN mesh.told.creation_unheard IS 'A later event came first, or a snapshot that could not make the event of the creation. Its hook runs when the event comes, or a snapshot that can make it.';
COMMENT ON COLUMN mesh.told.noted_at IS 'When it was noted; rows are forgotten some time after the stream has.';

CREATE TABLE mesh.unfit_row (
    durable    TEXT COLLATE "C" NOT NULL,
    ordinal      BIGINT,
    entity_id  TEXT COLLATE "C",
    reason     TEXT NOT NULL,
    element    TEXT,
    seen_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX unfit_row_durable_idx ON mesh.unfit_row (durable);
COMMENT ON TABLE mesh.unfit_row IS
    'The first rows of a source that the last snapshot could not take: a copy keeps what it has of them. Written anew by each snapshot.';
COMMENT ON COLUMN mesh.unfit_row.durable IS 'Durable consumer whose snapshot it was.';
COMMENT ON COLUMN mesh.unfit_row.ordinal IS 'Number among the elements of the source, from 1; NULL of a row that was found in the copy.';
COMMENT ON COLUMN mesh.unfit_row.entity_id IS 'Id of the entity; NULL where the row names none.';
COMMENT ON COLUMN mesh.unfit_row.reason IS 'Why the row could not be taken.';
COMMENT ON COLUMN mesh.unfit_row.element IS 'The start of what the source says of it.';
COMMENT ON COLUMN mesh.unfit_row.seen_at IS 'When the snapshot met it.';
`;
