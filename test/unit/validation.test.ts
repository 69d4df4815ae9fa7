import { expect, test } from "vitest";
import { DECIMAL } from "../../runtime/values/column-types.js";
import { INT64 } from "../../runtime/values/int64.js";
import { describeErrors } from "../../runtime/values/validation.js";

const broken = (pattern: string) => ({
  instancePath: "/total",
  keyword: "pattern",
  params: { pattern },
  message: `must match pattern "${pattern}"`,
});

test("a value that breaks the pattern of a type is told its type and range, not the pattern", () => {
  expect(describeErrors([broken(INT64)])).toBe(
    '/total must be a whole number from -2^63 to 2^63-1, as a text: "42"',
  );
  expect(describeErrors([broken(DECIMAL), broken(INT64)])).toBe(
    '/total must be a decimal number as a text: "12.50" (and 1 more)',
  );
  expect(describeErrors([broken("^a$")])).toBe('/total must match pattern "^a$"');
});
