import { expect, test } from "vitest";
import { invalidBody } from "../../../runtime/http/http-errors.js";

const table = {
  name: "orders",
  key: "order_id",
  columns: [
    { name: "order_id", type: "nanoid" },
    { name: "made_at", type: "timestamptz", shown: "madeAt" },
    { name: "due", type: "date" },
  ],
} as const;

const broken = (instancePath: string) => ({
  instancePath,
  keyword: "pattern",
  params: { pattern: "^\\d{4}" },
  message: 'must match pattern "^\\d{4}"',
});

test("a value of the wrong form is told in words, not by a regular expression", () => {
  const { errors } = invalidBody([broken("/madeAt"), broken("/due"), broken("/other")], { table });
  expect(errors).toEqual([
    { pointer: "/madeAt", detail: "must be a moment with its offset: 2026-01-31T12:00:00Z" },
    { pointer: "/due", detail: "must be a day: 2026-01-31" },
    { pointer: "/other", detail: 'must match pattern "^\\d{4}"' },
  ]);
});
