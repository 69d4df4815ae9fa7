import { createHash, timingSafeEqual } from "node:crypto";
import { Problem } from "./problem.js";

/** Throws 401 unless the header is `Bearer <key>`. Hashing first makes the lengths equal, so that time tells nothing. */
export function createKeyCheck(service: string, key: string): (authorization: string | undefined) => void {
  const expected = digest(key);
  return (authorization) => {
    const given = /^Bearer +(.+?) *$/i.exec(authorization ?? "")?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    throw new Problem(
      "unauthorized",
      given === undefined
        ? 'Send the header "Authorization: Bearer <SERVICE_KEY>".'
        : "The key is not the SERVICE_KEY of this service.",
      { headers: { "www-authenticate": challenge(service, given !== undefined) } },
    );
  };
}

function challenge(service: string, wrong: boolean): string {
  return `Bearer realm="${service}"${wrong ? ', error="invalid_token"' : ""}`;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
