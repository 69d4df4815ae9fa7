/** SQL: a regular expression of JSON objects of texts, without \u escapes: what it matches can be cast. */
const JSON_TEXT = String.raw`"([^"\\[:cntrl:]]|\\["\\/bfnrt])*"`;
const JSON_MEMBER = String.raw`\s*${JSON_TEXT}\s*:\s*${JSON_TEXT}\s*`;
const JSON_OBJECT = String.raw`^\s*\{(${JSON_MEMBER}(,${JSON_MEMBER})*|\s*)\}\s*$`;

/** What the events of a transaction say of what caused them. */
export const CAUSE = `CREATE FUNCTION mesh.set_cause(headers TEXT) RETURNS TEXT
LANGUAGE sql VOLATILE
RETURN pg_catalog.set_config('mesh.cause', headers, true);
COMMENT ON FUNCTION mesh.set_cause(TEXT) IS
    'Sets headers, as a JSON object of texts, for the events that are written from here to the end of the transaction; anything else: none.';

-- Inlined: most transactions have no cause. Any session may set anything: no write fails for that.
CREATE FUNCTION mesh.cause() RETURNS JSONB
LANGUAGE sql STABLE
RETURN CASE WHEN pg_catalog.current_setting('mesh.cause', true) ~ '${JSON_OBJECT}'
    THEN pg_catalog.current_setting('mesh.cause', true)::jsonb END;
COMMENT ON FUNCTION mesh.cause() IS 'What mesh.set_cause has set in this transaction; NULL for nothing, and for what is no JSON object of texts.';
`;
