/*
 * JSON whose numbers keep their digits. JSON.parse turns numbers into doubles. So the text is stored and sent on as it was written,
 * while validators and hooks get the parsed value.
 */

/** A JSON value as its text: for a `json` column or field whose numbers have more digits than a double. */
export class JsonText {
  /** Throws `SyntaxError` where the text is not JSON. */
  constructor(readonly text: string) {
    JSON.parse(text);
  }

  toJSON(): unknown {
    return JSON.parse(this.text);
  }
}

/** A value as JSON; undefined for a value that has none. Throws `TypeError` on NaN and infinities, which JSON.stringify makes null. */
export function printJson(value: unknown): string | undefined {
  if (value instanceof JsonText) return value.text;
  if (Object.is(value, -0)) return "-0";
  return JSON.stringify(value, refuseInfinite);
}

function refuseInfinite(_: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`${value} is not JSON`);
  return value;
}

/** The texts of members, by the object that was parsed from JSON. */
const texts = new WeakMap<object, ReadonlyMap<string, string>>();

/** The member's JSON as it was written; undefined where it is absent, or was not among the names given to the parser. */
export function writtenText(object: object, member: string): string | undefined {
  return texts.get(object)?.get(member);
}

export type Members = ReadonlySet<string>;

/** Like JSON.parse. Of an object it keeps the texts of these members, for `writtenText`. */
export function parseJson(text: string, members: Members): unknown {
  const value: unknown = JSON.parse(text);
  if (members.size > 0 && isObject(value)) texts.set(value, memberTexts(text, members));
  return value;
}

/** The same for each element of a list; `text` is what stands between its brackets. */
export function parseElements(text: string, members: Members): readonly unknown[] {
  const elements = JSON.parse(`[${text}]`) as readonly unknown[];
  if (members.size === 0) return elements;
  let at = 0;
  for (const element of elements) {
    at = skipBlank(text, at);
    if (isObject(element)) texts.set(element, cutMembers(text, at, members));
    // Past the comma.
    at = skipBlank(text, endOfValue(text, at)) + 1;
  }
  return elements;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The texts of these members. `text` is the JSON of an object, and known to be valid. */
export function memberTexts(text: string, members: Members): ReadonlyMap<string, string> {
  return cutMembers(text, skipBlank(text, 0), members);
}

function cutMembers(text: string, start: number, members: Members): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let at = skipBlank(text, start + 1);
  while (text.charCodeAt(at) !== CLOSE_BRACE) {
    const endOfName = endOfString(text, at);
    const name = JSON.parse(text.slice(at, endOfName)) as string;
    // Past the colon.
    const begin = skipBlank(text, skipBlank(text, endOfName) + 1);
    const end = endOfValue(text, begin);
    // The last one of a name counts, as for JSON.parse and jsonb.
    if (members.has(name)) found.set(name, text.slice(begin, end));
    at = skipBlank(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipBlank(text, at + 1);
  }
  return found;
}

/*
 * Finds where values end. The text is known to be valid JSON.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function skipBlank(text: string, start: number): number {
  let at = start;
  while (isBlank(text.charCodeAt(at))) at += 1;
  return at;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) return at + 1;
  }
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfNested(text, start);
  let at = start;
  while (at < text.length && !isEnd(text.charCodeAt(at))) at += 1;
  return at;
}

function isEnd(code: number): boolean {
  return code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET || isBlank(code);
}

function endOfNested(text: string, start: number): number {
  let depth = 0;
  for (let at = start; ; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth += 1;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
}
