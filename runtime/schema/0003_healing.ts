/**
 * Healing that one row cannot stop: what a snapshot could not take; how long a deletion has been remembered; numbers
 * as messages show them, for rules about their digits; and statements that triggers of others run within ours.
 *
 * Immutable once released: its sha256 is in every ledger. A change is a new numbered file beside it.
 */
export const MESH_0003 = `CREATE TABLE mesh.unfit_row (
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

-- Roles that work with the tables that were there before are to work with this one, whoever migrates.
DO $$
DECLARE
    known RECORD;
BEGIN
    FOR known IN
        SELECT DISTINCT grants.grantee::regrole AS role
        FROM pg_class AS letters CROSS JOIN LATERAL aclexplode(letters.relacl) AS grants
        WHERE letters.oid = 'mesh.dead_letter'::regclass AND grants.privilege_type = 'INSERT'
          AND grants.grantee NOT IN (0, letters.relowner)
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON mesh.unfit_row TO %s', known.role);
    END LOOP;
END;
$$;

ALTER TABLE mesh.subscription ADD COLUMN snapshot_unfit BIGINT;
COMMENT ON COLUMN mesh.subscription.snapshot_unfit IS 'How many rows of its source the last snapshot could not take.';

ALTER TABLE mesh.applied ADD COLUMN deleted_at TIMESTAMPTZ, ADD COLUMN deleted_seq BIGINT;
COMMENT ON COLUMN mesh.applied.deleted_at IS
    'When the background work first met this tombstone, which is forgotten once its stream''s "tombstones" have passed since. Of no meaning unless deleted_seq is stream_seq.';

ALTER TABLE mesh.entity_version ADD COLUMN gone_at TIMESTAMPTZ, ADD COLUMN gone_version BIGINT;
COMMENT ON COLUMN mesh.entity_version.gone_at IS
    'When the background work first met this counter without its row. Of no meaning unless gone_version is version.';

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
