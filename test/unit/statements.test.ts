import { expect, test } from "vitest";
import { splitStatements } from "../../runtime/schema/split-statements.js";

test("statements end at their semicolons, and at no other", () => {
  const sql = `-- a comment; no statement
SELECT 'a;b''; c', ";""d" /* e; */ FROM x;

-- another
DO $$ BEGIN PERFORM 1; END $$;  DO $body$ SELECT '$$;'; $body$;
SELECT 1 - 2 / 3, $1
`;
  expect(splitStatements(sql)).toEqual([
    { text: `SELECT 'a;b''; c', ";""d"  FROM x`, line: 2 },
    { text: "DO $$ BEGIN PERFORM 1; END $$", line: 5 },
    { text: "DO $body$ SELECT '$$;'; $body$", line: 5 },
    { text: "SELECT 1 - 2 / 3, $1", line: 6 },
  ]);
  expect(splitStatements("-- nothing\n")).toEqual([]);
});
