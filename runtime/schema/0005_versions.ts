/**
 * Versions have a maximum. It leaves room above it: a counter there can still be told from the next one.
 *
 * Immutable once released: its sha256 is in every ledger. A change is a new numbered file beside it.
 */
export const MESH_0005 = `-- Its name is what the error shows.
ALTER TABLE mesh.outbox ADD CONSTRAINT "version within 2^52 (see mesh lower-versions)"
    CHECK (version <= 4503599627370496) NOT VALID;
COMMENT ON CONSTRAINT "version within 2^52 (see mesh lower-versions)" ON mesh.outbox IS
    'Nothing counts that far: a forged or broken event was taken for the newest one, and no subscriber would take what follows it.';

-- Rows that wait since before are left: they are published, and subscribers put them among their dead letters.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM mesh.outbox WHERE version > 4503599627370496) THEN
        ALTER TABLE mesh.outbox VALIDATE CONSTRAINT "version within 2^52 (see mesh lower-versions)";
    END IF;
END;
$$;
`;
