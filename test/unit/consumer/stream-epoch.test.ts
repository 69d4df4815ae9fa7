import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { epochOf, type KnownStream } from "../../../runtime/consumer/stream-epoch.js";

const known: KnownStream = { created: "monday", offset: 0, highest: 40 };
const at = (lastSeq: number, created = "monday") => ({ created, lastSeq });

describe("a stream epoch", () => {
  it.each([
    ["is the first where nothing was ever read", { created: null, offset: 0, highest: 0 }, at(900), 0, false],
    ["goes on while the stream is the same one", known, at(40), 0, false],
    ["goes on with its offset", { ...known, offset: 30 }, at(15), 30, false],
    ["begins where the stream was made anew", known, at(0, "tuesday"), 40, true],
    ["begins where the stream was made anew and is longer already", known, at(90, "tuesday"), 40, true],
    ["begins where the stream is shorter than what was applied", known, at(39), 40, true],
    [
      "begins where the stream was made anew before anything was applied",
      { created: "monday", offset: 0, highest: 0 },
      at(5, "tuesday"),
      0,
      true,
    ],
    ["begins where only the guard remembers a former stream", { ...known, created: null }, at(90), 40, true],
    ["keeps an offset above what was applied since", { ...known, offset: 70 }, at(3, "tuesday"), 70, true],
  ])("%s", (_, before, position, offset, begun) => {
    expect(epochOf(before, position)).toEqual({ streamCreated: position.created, offset, begun });
  });

  const position = fc.record({ created: fc.constantFrom("monday", "tuesday"), lastSeq: fc.nat(50) });
  const before = fc.record({
    created: fc.constantFrom("monday", "tuesday", null),
    offset: fc.nat(50),
    highest: fc.nat(100),
  });

  it("never lets an effective sequence go back once another one begins", () => {
    fc.assert(
      fc.property(before, position, (was, now) => {
        const epoch = epochOf(was, now);
        if (epoch.begun) expect(epoch.offset + 1).toBeGreaterThan(was.highest);
        else if (was.created !== null) expect(epoch.offset + now.lastSeq).toBeGreaterThanOrEqual(was.highest);
        expect(epoch.begun && epoch.offset < was.offset).toBe(false);
      }),
    );
  });

  it("is the same for each replica that enters it after the first", () => {
    fc.assert(
      fc.property(before, position, (was, now) => {
        const { streamCreated, offset } = epochOf(was, now);
        const after = { created: streamCreated, offset, highest: Math.max(was.highest, offset) };
        expect(epochOf(after, now)).toEqual({ streamCreated, offset, begun: false });
      }),
    );
  });
});
