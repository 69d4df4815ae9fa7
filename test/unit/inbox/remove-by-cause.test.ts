import { expect, test } from "vitest";
import { inlined } from "../../../runtime/inbox/inlined.js";

test("parameters stand in a script as literals, and names that look like one stay", () => {
  const text = 'DELETE FROM "a""$1" WHERE "price $2" = $1 AND "$2" = $2';
  expect(inlined({ text, values: ["it's", "a\\b $1"] })).toBe(
    `DELETE FROM "a""$1" WHERE "price $2" = 'it''s' AND "$2" =  E'a\\\\b $1'`,
  );
});
