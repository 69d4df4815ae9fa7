import { isUtf8 } from "node:buffer";
import { plural } from "../text/plural.js";
import { type Members, parseElements, parseJson } from "../values/json-text.js";

/*
 * A JSON array of any length, read in bounded memory: the bytes are cut at commas of the outermost
 * array, and each piece, many elements at once, goes to JSON.parse. Structure is ASCII, so a chunk
 * that ends within a character, a string or an escape does no harm. An element that is no JSON in a
 * whole array (a bare NaN, a byte that is no UTF-8) is given as `Unreadable`: the others are read.
 */

/** What came is not a whole JSON array. */
export class BrokenArray extends Error {
  override readonly name = "BrokenArray";
}

/** An element that is no JSON. */
export class Unreadable {
  constructor(
    /** As it came, but for bytes that are no UTF-8. */
    readonly text: string,
    readonly reason: string,
  ) {}
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** No element is this long; what is, is not a list of rows. */
const MAX_ELEMENT_BYTES = 16 * 1024 * 1024;

const NONE: Members = new Set();

/**
 * Gives the elements in groups, as the chunks complete them: values, of which the texts of these members are kept, or
 * `Unreadable`. Throws `BrokenArray` unless the whole was one array.
 */
export async function* splitArray(
  chunks: AsyncIterable<Uint8Array>,
  members = NONE,
): AsyncGenerator<readonly unknown[]> {
  const splitter = createSplitter(members);
  for await (const chunk of chunks) {
    const elements = splitter.push(chunk);
    if (elements.length > 0) yield elements;
  }
  splitter.end();
}

export interface Splitter {
  push(chunk: Uint8Array): readonly unknown[];
  end(): void;
}

/** Follows the structure byte by byte, within the outermost array: commas between its elements, and what closes it. */
function createScanner() {
  let depth = 0;
  let inString = false;
  let escaped = false;
  return {
    see(byte: number | undefined): "comma" | "close" | undefined {
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (depth === 0) return "close";
        depth -= 1;
      } else if (byte === COMMA && depth === 0) return "comma";
      return undefined;
    },
  };
}

type Stage = "before" | "inside" | "after";

export function createSplitter(members = NONE): Splitter {
  let stage: Stage = "before";
  let carried: Buffer = Buffer.alloc(0);
  let scanned = 0;
  const scanner = createScanner();
  let count = 0;
  let separated = false;

  /** Offsets of the last comma between elements and of the closing bracket; -1 for none yet. */
  function scan(bytes: Buffer): { readonly comma: number; readonly close: number } {
    let comma = -1;
    for (let at = scanned; at < bytes.length; at += 1) {
      const place = scanner.see(bytes[at]);
      if (place === "close") return { comma, close: at };
      if (place === "comma") comma = at;
    }
    return { comma, close: -1 };
  }

  function parse(bytes: Buffer, isLast: boolean): readonly unknown[] {
    if (bytes.every(isBlank)) {
      if (isLast && count === 0 && !separated) return [];
      throw new BrokenArray(`not JSON after ${plural(count, "element")}: a comma too many`);
    }
    if (!isLast) separated = true;
    const elements =
      parsePiece(bytes, members) ?? cutPiece(bytes).map((one, at) => parseElement(one, count + at, members));
    count += elements.length;
    return elements;
  }

  function finish(bytes: Buffer, close: number): readonly unknown[] {
    if (bytes[close] !== CLOSE_BRACKET)
      throw new BrokenArray(`a } closes the array after ${plural(count, "element")}`);
    const elements = parse(bytes.subarray(0, close), true);
    stage = "after";
    expectBlank(bytes.subarray(close + 1));
    carried = Buffer.alloc(0);
    return elements;
  }

  return {
    push(chunk) {
      const arrived = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (stage === "after") {
        expectBlank(arrived);
        return [];
      }
      let bytes = carried.length === 0 ? arrived : Buffer.concat([carried, arrived]);
      if (stage === "before") {
        const start = startOf(bytes);
        if (start === undefined) return [];
        bytes = bytes.subarray(start);
        stage = "inside";
      }
      const { comma, close } = scan(bytes);
      if (close >= 0) return finish(bytes, close);
      const elements = comma < 0 ? [] : parse(bytes.subarray(0, comma), false);
      // A copy, so that a short rest does not keep a long chunk alive.
      carried = Buffer.from(bytes.subarray(comma + 1));
      scanned = carried.length;
      if (carried.length > MAX_ELEMENT_BYTES) throw new BrokenArray("one element exceeds 16 MiB");
      return elements;
    },
    end() {
      if (stage !== "after") {
        throw new BrokenArray(
          stage === "before" ? "nothing came" : `it ends after ${plural(count, "element")} without its ]`,
        );
      }
    },
  };
}

/** Offset after the opening bracket; undefined while there is only white space. */
function startOf(bytes: Buffer): number | undefined {
  const first = bytes.findIndex((byte) => !isBlank(byte));
  if (first < 0) return undefined;
  if (bytes[first] === OPEN_BRACKET) return first + 1;
  const start = bytes.subarray(first, first + 40).toString("latin1");
  throw new BrokenArray(`not a JSON array: it starts with ${JSON.stringify(start)}`);
}

/** Undefined where something in it is no JSON. */
function parsePiece(bytes: Buffer, members: Members): readonly unknown[] | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    return parseElements(bytes.toString("utf8"), members);
  } catch {
    return undefined;
  }
}

/** At its commas between elements. */
function cutPiece(bytes: Buffer): readonly Buffer[] {
  const pieces: Buffer[] = [];
  let start = 0;
  const scanner = createScanner();
  for (let at = 0; at < bytes.length; at += 1) {
    if (scanner.see(bytes[at]) !== "comma") continue;
    pieces.push(bytes.subarray(start, at));
    start = at + 1;
  }
  pieces.push(bytes.subarray(start));
  return pieces;
}

/** What may stand in a list for a row, however badly it is written: an object in outline, or a word such as NaN. */
const ELEMENT = /^(?:\{[\s\S]*\}|-?[A-Za-z]+)$/;

function parseElement(bytes: Buffer, before: number, members: Members): unknown {
  const text = bytes.toString("utf8").trim();
  if (!isUtf8(bytes)) return new Unreadable(text, "not UTF-8");
  try {
    return parseJson(text, members);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    if (ELEMENT.test(text)) return new Unreadable(text, `not JSON: ${why}`);
    throw new BrokenArray(`not JSON after ${plural(before, "element")}: ${why}`, { cause });
  }
}

function expectBlank(bytes: Buffer): void {
  if (!bytes.every(isBlank)) throw new BrokenArray("something follows the array");
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
