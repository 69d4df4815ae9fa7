import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joinId, pathSegment, splitId } from "../../runtime/values/entity-id.js";
import { anyId } from "../support/ids.js";

const parts = fc.array(fc.oneof(anyId, fc.constant("")), { minLength: 2, maxLength: 4 });

describe("the id of a key of several columns", () => {
  test.each([
    [["42", "7"], "42:7"],
    [["order-1", "en"], "order-1:en"],
    [["a:b", "c"], "a%3Ab:c"],
    [["a", "b:c"], "a:b%3Ac"],
    [["100%", "%3A"], "100%25:%253A"],
    [["", ""], ":"],
  ])("%j is %s", (values, id) => {
    expect(joinId(values)).toBe(id);
    expect(splitId(id, values.length)).toEqual(values);
  });

  test("tells its parts, and no two rows share one", () => {
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(splitId(joinId(one), one.length)).toEqual(one);
        if (one.length === other.length && one.join("\0") !== other.join("\0"))
          expect(joinId(one)).not.toBe(joinId(other));
      }),
    );
  });

  test("is refused in any other form, which would be a second name of one row", () => {
    for (const id of ["42", "42:7:1", "a%:7", "a%3a:7", "a%2E:7", "%25%:7"])
      expect(splitId(id, 2)).toBeUndefined();
  });

  test("of one column is its value, whatever it holds", () => {
    fc.assert(
      fc.property(anyId, (id) => {
        expect([joinId([id]), splitId(id, 1)]).toEqual([id, [id]]);
      }),
    );
  });

  test("is readable in a URL, and comes back from it", () => {
    expect(pathSegment("42:7")).toBe("42:7");
    expect(pathSegment("a%3Ab:c/d")).toBe("a%253Ab:c%2Fd");
    fc.assert(
      fc.property(anyId, (id) => {
        expect(decodeURIComponent(pathSegment(id))).toBe(id);
      }),
    );
  });
});
