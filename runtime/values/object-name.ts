import { createHash } from "node:crypto";

/** PostgreSQL cuts what is longer. */
export const MAX_IDENTIFIER_BYTES = 63;

/**
 * Joined by underscores, as PostgreSQL names what is left unnamed: `user_cache_username_key`. A name that
 * would be cut keeps its beginning and gets a hash of the whole, so it depends on nothing but its parts.
 */
export function objectName(...parts: readonly string[]): string {
  const name = parts.join("_");
  return Buffer.byteLength(name) <= MAX_IDENTIFIER_BYTES ? name : hashedName(name, name);
}

/** The same where other parts would join to the same name, as `a_b` and `c` do beside `a` and `b_c`. */
export function distinctName(...parts: readonly string[]): string {
  return hashedName(parts.join("_"), parts.join("\0"));
}

function hashedName(name: string, whole: string): string {
  const hash = createHash("sha256").update(whole).digest("hex").slice(0, 8);
  return `${cutToBytes(name, MAX_IDENTIFIER_BYTES - hash.length - 1)}_${hash}`;
}

function cutToBytes(text: string, bytes: number): string {
  let kept = "";
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytes) break;
    kept += character;
  }
  return kept;
}
