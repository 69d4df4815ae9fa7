/** What the events of a transaction say of what caused them. */
export const CAUSE = `CREATE FUNCTION mesh.set_cause(headers TEXT) RETURNS TEXT
LANGUAGE sql VOLATILE
RETURN pg_catalog.set_config('mesh.cause', headers, true);
COMMENT ON FUNCTION mesh.set_cause(TEXT) IS
    'Sets headers, as a JSON object, for the events that are written from here to the end of the transaction; empty: none.';

-- Inlined: most transactions have no cause.
CREATE FUNCTION mesh.cause() RETURNS JSONB
LANGUAGE sql STABLE
RETURN nullif(pg_catalog.current_setting('mesh.cause', true), '')::jsonb;
COMMENT ON FUNCTION mesh.cause() IS 'What mesh.set_cause has set in this transaction; NULL for nothing.';
`;
