import fc from "fast-check";
import { expect, test } from "vitest";
import { coverAll, disjoint, overlap } from "../../../generator/model/filters.js";
import { matches } from "../../../runtime/subject.js";

const token = fc.constantFrom("a", "b", "*");
const filter = fc
  .tuple(fc.array(token, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([tokens, rest]) => [...tokens, ...(rest ? [">"] : [])].join("."));
const subject = fc
  .array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 6 })
  .map((tokens) => tokens.join("."));

test("a cover matches whatever one of its filters does", () => {
  fc.assert(
    fc.property(fc.array(filter, { minLength: 1, maxLength: 4 }), subject, (filters, one) => {
      if (filters.some((each) => matches(each, one))) expect(matches(coverAll(filters), one)).toBe(true);
    }),
  );
});

test("filters that share a subject overlap", () => {
  fc.assert(
    fc.property(filter, filter, subject, (a, b, one) => {
      if (matches(a, one) && matches(b, one)) expect(overlap(a, b)).toBe(true);
    }),
  );
});

test("disjoint filters match what all did, and no two of them overlap", () => {
  fc.assert(
    fc.property(fc.array(filter, { minLength: 1, maxLength: 5 }), subject, (filters, one) => {
      const parts = disjoint(filters);
      if (filters.some((each) => matches(each, one)))
        expect(parts.filter((part) => matches(part, one))).toHaveLength(1);
      for (const [index, part] of parts.entries())
        expect(parts.slice(index + 1).some((other) => overlap(part, other))).toBe(false);
    }),
  );
});

test.each([
  [["m.*.c.*.description", "m.*.c.*.telemetry.>"], "m.*.c.*.>"],
  [["a.b", "a.b.c"], "a.>"],
  [["a.b.c", "a.x.c"], "a.*.c"],
  [["a.*"], "a.*"],
])("the cover of %s is %s", (filters, expected) => {
  expect(coverAll(filters)).toBe(expected);
});
