import { expect, test } from "vitest";
import { compareBytes } from "../../runtime/text/byte-order.js";

test("ids are ordered by the bytes of UTF-8, as SQL locks them, also above U+FFFF", () => {
  const ids = [
    "",
    "a",
    "A",
    "ab",
    "b",
    "é",
    "\u{d7ff}",
    "\u{e000}",
    "\u{ffff}",
    "\u{10000}",
    "\u{10ffff}",
    "\u{10000}a",
  ];
  const byBytes = ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(ids.toReversed().toSorted(compareBytes)).toEqual(byBytes);
  expect(ids.toSorted(), "code units order them otherwise").not.toEqual(byBytes);
});
