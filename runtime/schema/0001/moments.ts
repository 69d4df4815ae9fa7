/** Events at a time: the moments at which rows will mean one. */
export const MOMENTS = `CREATE TABLE mesh.moment (
    event       TEXT COLLATE "C" NOT NULL,
    row_key     TEXT[] COLLATE "C" NOT NULL,
    routine     NAME NOT NULL,
    due_at      TIMESTAMPTZ NOT NULL,
    next_at     TIMESTAMPTZ NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT,
    PRIMARY KEY (event, row_key)
);
CREATE INDEX moment_next_at_idx ON mesh.moment (next_at);
CREATE INDEX moment_failed_idx ON mesh.moment (due_at) WHERE attempts > 0;
COMMENT ON TABLE mesh.moment IS
    'Moments that are to come: at due_at the row means the event. Written by the triggers of the row''s table, in the writer''s transaction; deleted by the one that writes the event. So a moment is told of once, whatever the clock does.';
COMMENT ON COLUMN mesh.moment.event IS 'The event: library.reservation.expired';
COMMENT ON COLUMN mesh.moment.row_key IS 'The row''s key: the texts of its columns, in their order.';
COMMENT ON COLUMN mesh.moment.routine IS 'The function of schema mesh that writes the event.';
COMMENT ON COLUMN mesh.moment.due_at IS 'What the row''s column holds. Where it holds something else by then, the moment means nothing.';
COMMENT ON COLUMN mesh.moment.next_at IS 'When it is tried: due_at, later where an attempt has failed or somebody was writing the row or its entity.';
COMMENT ON COLUMN mesh.moment.attempts IS 'Failed attempts.';
COMMENT ON COLUMN mesh.moment.last_error IS 'Why the last one failed.';

-- Whoever tries a mesh with other times replaces this function.
CREATE FUNCTION mesh.clock() RETURNS TIMESTAMPTZ LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS 'SELECT clock_timestamp()';
COMMENT ON FUNCTION mesh.clock() IS 'The clock by which moments come: the server''s.';

CREATE TYPE mesh.row_moment AS (row_key TEXT[], due_at TIMESTAMPTZ);
COMMENT ON TYPE mesh.row_moment IS 'The key of a row, and its moment; NULL where it has none.';

CREATE FUNCTION mesh.schedule(event TEXT, routine NAME, moments mesh.row_moment[]) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
    IF moments IS NULL THEN RETURN; END IF;
    DELETE FROM mesh.moment AS known USING pg_catalog.unnest(moments) AS given
    WHERE pg_catalog.isfinite(given.due_at) IS NOT TRUE AND known.event = schedule.event AND known.row_key = given.row_key;
    INSERT INTO mesh.moment AS known (event, row_key, routine, due_at, next_at)
    SELECT schedule.event, given.row_key, schedule.routine, given.due_at, given.due_at
    FROM pg_catalog.unnest(moments) AS given WHERE pg_catalog.isfinite(given.due_at)
    ON CONFLICT ON CONSTRAINT moment_pkey DO UPDATE
        SET routine = excluded.routine, due_at = excluded.due_at, next_at = excluded.next_at, attempts = 0, last_error = NULL;
END;
$$;
COMMENT ON FUNCTION mesh.schedule(TEXT, NAME, mesh.row_moment[]) IS
    'Notes the moments of rows, no two of one row, in place of those that they had; takes away those of rows that have none now: infinity never comes.';

-- What has come is few of many: read in the order of the index, whatever the planner knows of the table.
CREATE FUNCTION mesh.take_moments(event TEXT, only_key TEXT[], most INTEGER) RETURNS mesh.row_moment[]
LANGUAGE plpgsql SET enable_sort = off AS $$
DECLARE
    present TIMESTAMPTZ := mesh.clock();
BEGIN
    IF only_key IS NOT NULL THEN
        RETURN ARRAY(SELECT (moment.row_key, moment.due_at)::mesh.row_moment FROM mesh.moment
            WHERE moment.event = take_moments.event AND moment.row_key = only_key AND moment.due_at <= present
            FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN ARRAY(SELECT (moment.row_key, moment.due_at)::mesh.row_moment FROM mesh.moment
        WHERE moment.event = take_moments.event AND moment.next_at <= present AND moment.due_at <= present
        ORDER BY moment.next_at LIMIT most FOR UPDATE SKIP LOCKED);
END;
$$;
COMMENT ON FUNCTION mesh.take_moments(TEXT, TEXT[], INTEGER) IS
    'Locks moments that have come, of one row where its key is given; none that somebody else has locked.';

CREATE FUNCTION mesh.busy_entities(entity TEXT, ids TEXT[]) RETURNS TEXT[]
LANGUAGE plpgsql AS $$
DECLARE
    free TEXT[] := ARRAY(SELECT counter.entity_id FROM mesh.entity_version AS counter
        WHERE counter.entity = busy_entities.entity AND counter.entity_id = ANY (ids)
        ORDER BY counter.entity_id FOR NO KEY UPDATE SKIP LOCKED);
BEGIN
    RETURN ARRAY(SELECT counter.entity_id FROM mesh.entity_version AS counter
        WHERE counter.entity = busy_entities.entity AND counter.entity_id = ANY (ids) AND counter.entity_id <> ALL (free));
END;
$$;
COMMENT ON FUNCTION mesh.busy_entities(TEXT, TEXT[]) IS
    'Which of the entities have events in transactions that have not ended; locks the counters of the others.';

CREATE FUNCTION mesh.settle_moments(event TEXT, settled mesh.row_moment[], taken mesh.row_moment[]) RETURNS INTEGER
LANGUAGE plpgsql AS $$
DECLARE
    done INTEGER;
BEGIN
    DELETE FROM mesh.moment AS known USING pg_catalog.unnest(settled) AS given
    WHERE known.event = settle_moments.event AND known.row_key = given.row_key;
    GET DIAGNOSTICS done = ROW_COUNT;
    UPDATE mesh.moment AS known SET next_at = mesh.clock() + interval '1 second' FROM pg_catalog.unnest(taken) AS given
    WHERE known.event = settle_moments.event AND known.row_key = given.row_key;
    RETURN done;
END;
$$;
COMMENT ON FUNCTION mesh.settle_moments(TEXT, mesh.row_moment[], mesh.row_moment[]) IS
    'Deletes the moments that are settled; the others that were taken are tried again after a second, for somebody is writing their rows or entities. Returns how many are settled.';

CREATE FUNCTION mesh.tell_moments(routine NAME, event TEXT, only_key TEXT[], most INTEGER) RETURNS INTEGER
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done INTEGER;
BEGIN
    EXECUTE format('SELECT mesh.%I($1, $2, $3)', routine) INTO done USING event, only_key, most;
    RETURN done;
END;
$$;
COMMENT ON FUNCTION mesh.tell_moments(NAME, TEXT, TEXT[], INTEGER) IS
    'Writes the event of moments that have come, by the function of their table, in this transaction. Returns how many are settled.';
`;
