import { createHash } from "node:crypto";

/*
 * Keys as the environment holds them: one, or two separated by a comma while the first replaces the second. The first
 * is the one to show, each of them is one to know its holder by. Who only has to know a key may have its digest
 * instead, with which nothing can be called.
 */

/** What a header carries; the comma stands between two. */
const KEY = /^[\x20-\x2b\x2d-\x7e]+$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MOST = 2;
/** Characters below which a key is warned of: 16 of base64 are 96 bits. */
const SHORT = 16;

/** The one to show. */
export function shownKey(value: string): string {
  return value.split(",", 1)[0]?.trim() ?? "";
}

/** SHA-256 of each: of one length, so that comparing them takes one time. */
export function keyDigests(value: string): readonly Buffer[] {
  return split(value).map((key) =>
    DIGEST.test(key) ? Buffer.from(key.slice("sha256:".length), "hex") : digest(key),
  );
}

export function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** `sha256:…`: what suffices to know the holder of the key by. */
export function digestText(key: string): string {
  return `sha256:${digest(key).toString("hex")}`;
}

/** What is wrong with it; the keys themselves are never quoted. */
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
