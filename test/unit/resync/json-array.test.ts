import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BrokenArray, createSplitter, splitArray } from "../../../runtime/resync/json-array.js";

/** Cuts bytes at any offsets, characters and escapes included. */
function cut(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const places = [...new Set(offsets.map((offset) => offset % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, at) => bytes.subarray(from, places[at] ?? bytes.length));
}

function split(chunks: readonly Uint8Array[]): unknown[] {
  const splitter = createSplitter();
  const elements = chunks.flatMap((chunk) => splitter.push(chunk));
  splitter.end();
  return elements;
}

const splitText = (text: string) => split([...Buffer.from(text)].map((byte) => Buffer.from([byte])));
const offsets = fc.array(fc.nat(5_000), { maxLength: 30 });

describe("splitArray", () => {
  it("gives what JSON.parse gives, however it is cut and spaced", () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue(), { maxLength: 12 }),
        offsets,
        fc.constantFrom(0, 1, "\t"),
        (elements, at, space) => {
          const text = `\n ${JSON.stringify(elements, null, space)} \r\n`;
          expect(split(cut(Buffer.from(text), at))).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("refuses a snapshot's array that is truncated, wherever", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), fc.nat(), offsets, (elements, length, at) => {
        const whole = Buffer.from(JSON.stringify(elements));
        const short = whole.subarray(0, length % whole.length);
        expect(() => split(cut(short, at))).toThrow(BrokenArray);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["an object", '{"users":[]}', "not a JSON array"],
    ["a web page", "<!doctype html><p>Bad gateway", "not a JSON array"],
    ["nothing", "  ", "nothing came"],
    ["a comma at the end", "[1,2,]", "a comma too many"],
    ["a comma at the start", "[,1]", "a comma too many"],
    ["two commas", "[1,,2]", "not JSON"],
    ["no comma", "[1 2]", "not JSON after 0 elements"],
    ["something after it", "[1] x", "something follows"],
    ["a second array", "[1][2]", "something follows"],
    ["the wrong bracket", "[1}", "closes the array"],
  ])("refuses %s", (_, text, message) => {
    expect(() => splitText(text)).toThrow(message);
  });

  it("holds no more than what is not complete yet", async () => {
    const row = JSON.stringify({ user_id: "x".repeat(20), username: "y".repeat(40) });
    async function* source() {
      yield Buffer.from("[0");
      const chunk = Buffer.from(`,${row}`.repeat(500));
      for (let sent = 0; sent < 1_000; sent += 1) yield chunk;
      yield Buffer.from("]");
    }
    const before = process.memoryUsage().rss;
    let count = 0;
    for await (const elements of splitArray(source())) count += elements.length;
    expect(count).toBe(500_001);
    expect(process.memoryUsage().rss - before).toBeLessThan(120 * 1024 * 1024);
  });
});
