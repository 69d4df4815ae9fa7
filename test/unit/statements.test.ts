import { expect, test } from "vitest";
import { splitStatements } from "../../runtime/schema/split-statements.js";

test("statements end at their semicolons, and at no other", () => {
  const sql = `-- a comment; no statement
SELECT 'a;b''; c', ";""d" /* e; */ FROM x;

-- another
DO $$ BEGIN PERFORM 1; END $$;  DO $body$ SELECT '$$;'; $body$;
SELECT 1 - 2 / 3, $1
`;
  expect(splitStatements(sql)).toMatchObject([
    { text: `SELECT 'a;b''; c', ";""d" /* e; */ FROM x`, line: 2 },
    { text: "DO $$ BEGIN PERFORM 1; END $$", line: 5 },
    { text: "DO $body$ SELECT '$$;'; $body$", line: 5 },
    { text: "SELECT 1 - 2 / 3, $1", line: 6 },
  ]);
  expect(splitStatements("-- nothing\n")).toEqual([]);
});

test("strings with backslashes, nested comments, rules and functions in SQL hold semicolons that end nothing, as psql reads them", () => {
  const sql = `SELECT E'it\\'s; '; SELECT table_e'a;' /* a /* b; */ c; */, a$1, $1;
CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);
CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END;
BEGIN; SELECT CASE WHEN true THEN 1 END; END`;
  expect(splitStatements(sql).map(({ text, line }) => `${line} ${text}`)).toEqual([
    "1 SELECT E'it\\'s; '",
    "1 SELECT table_e'a;' /* a /* b; */ c; */, a$1, $1",
    "2 CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)",
    "3 CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END",
    "4 BEGIN",
    "4 SELECT CASE WHEN true THEN 1 END",
    "4 END",
  ]);
});
