import { createHash } from "node:crypto";

/*
 * Keys in environment variables: one, or two separated by a comma while the first replaces the second. A caller sends the first; the
 * called service accepts each. The called service may have the digest of a key instead, with which nothing can be called.
 */

/** Characters that a header can carry, without the comma. */
const KEY = /^[\x20-\x2b\x2d-\x7e]+$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MOST = 2;
/** A shorter key is warned of: 16 characters of base64 are 96 bits. */
const SHORT = 16;

/** The key to send. */
export function shownKey(value: string): string {
  return value.split(",", 1)[0]?.trim() ?? "";
}

/** SHA-256 of each key: of equal length, so that a comparison takes equal time. */
export function keyDigests(value: string): readonly Buffer[] {
  return split(value).map((key) =>
    DIGEST.test(key) ? Buffer.from(key.slice("sha256:".length), "hex") : digest(key),
  );
}

export function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** `sha256:…`: enough to recognise the key's holder. */
export function digestText(key: string): string {
  return `sha256:${digest(key).toString("hex")}`;
}

/** What is wrong with the variable. Keys are never quoted. */
export function checkKeys(
  name: string,
  value: string | undefined,
  use: "shown" | "known",
): readonly string[] {
  if (value === undefined) return [];
  const keys = split(value);
  if (keys.length > MOST)
    return [`${name} holds ${keys.length} keys; two are valid at once, while one replaces the other`];
  if (!keys.every((key) => KEY.test(key)))
    return [`${name} holds an empty key, or one with a character that no header carries`];
  if (keys.some((key) => key.startsWith("sha256:") && !DIGEST.test(key)))
    return [`${name} begins with sha256:, and not with 64 digits of lower-case hex after it`];
  if (use === "shown" && keys.some((key) => DIGEST.test(key)))
    return [`${name} is a digest; it is shown to another service, so it has to be the key itself`];
  return [];
}

export function isShort(value: string): boolean {
  return split(value).some((key) => key.length < SHORT);
}

function split(value: string): readonly string[] {
  return value.split(",").map((key) => key.trim());
}
