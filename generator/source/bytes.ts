import { isUtf8 } from "node:buffer";
import { MAXIMUM_TEXT } from "./maximum-sizes.js";

export interface DecodedText {
  readonly text: string;
  /** Offset into the text of what is no UTF-8; undefined where all is. */
  readonly invalidAt: number | undefined;
}

/** Of this many bytes no UTF-8 is short enough to be a mesh: what follows need not be read. */
export const MOST_BYTES = 3 * MAXIMUM_TEXT + 1;

/** UTF-8, with or without a byte order mark. */
export function decodeText(bytes: Uint8Array): DecodedText {
  const decode = (part: Uint8Array) => new TextDecoder().decode(part);
  const text = decode(bytes);
  if (isUtf8(bytes)) return { text, invalidAt: undefined };
  const again = new TextEncoder().encode(text);
  const start = hasMark(bytes) ? 3 : 0;
  let at = 0;
  while (at < again.length && again[at] === bytes[start + at]) at += 1;
  if (at === again.length && start + at === bytes.length) return { text, invalidAt: undefined };
  return { text, invalidAt: decode(bytes.subarray(start, start + at)).length };
}

function hasMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}
