import { describe, expect, it } from "vitest";
import { trackInFlight } from "../../../runtime/broker/in-flight.js";

const at = (seconds: number) => `${1_700_000_000 + seconds}000000000`;
const seconds = (time: Date | undefined) => time && time.getTime() / 1000 - 1_700_000_000;

describe("the oldest message in flight", () => {
  it("is the first one that is not settled, in whichever order they are settled", () => {
    const messages = trackInFlight(30_000);
    const [one, two, three] = [1, 2, 3].map((seq) => messages.begin(seq, { nanoseconds: at(seq) }));
    two?.end(2);
    expect(seconds(messages.oldest())).toBe(1);
    one?.end(1);
    expect(seconds(messages.oldest())).toBe(3);
    expect(messages.has(2)).toBe(false);
    expect(messages.outstanding()).toBe(1);
    three?.end(3);
    expect(messages.oldest()).toBeUndefined();
  });

  it("may be one that was redelivered behind newer ones, or is postponed", () => {
    const messages = trackInFlight(30_000);
    messages.begin(8, { nanoseconds: at(8) });
    const again = messages.begin(2, { nanoseconds: at(2) });
    expect(seconds(messages.oldest())).toBe(2);
    again.postpone(2, 60_000, at(2));
    again.end(2);
    expect(messages.has(2)).toBe(false);
    expect(messages.outstanding()).toBe(2);
    expect(seconds(messages.oldest())).toBe(2);
  });
});
