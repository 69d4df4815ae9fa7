import { NETWORK_CODES } from "../database/database-errors.js";
import { CAUSED_BY } from "../text/error-message.js";

/*
 * What `/readyz` says of a failure. It needs no key, so it says the class only. The message may name hosts, users, rows and
 * secrets of a hook: it is in the log, and of a snapshot in `mesh status`.
 */

const ELSEWHERE = "the log says why";

/** Sentences of the runtime, up to where foreign text begins. Names of streams and durables are no secrets. */
const OWN_WORDS: readonly RegExp[] = [
  /^durable [\w-]+ of stream [\w-]+ (?:is gone|does not answer)/,
  /^durable [\w-]+ of stream [\w-]+ does not exist or may not be read, and this user may not create it: [^:]*$/,
  /^there is no stream [\w-]+$/,
  /^stream [\w-]+ (?:does not exist yet|was made anew|is out of reach)/,
  /^its durable or its stream was deleted$/,
  /^the broker is not connected/,
  /^the broker's permissions do not allow/,
  /^the connection to the broker was (?:lost|closed) before the ack$/,
  /^no ack within \d+ ms$/,
  /^no stream takes this subject, or JetStream is not ready$/,
  /^the stream refused/,
  /^larger than the broker's max_payload/,
  /^hooks failed on \d+ rows?$/,
  /^[A-Z][A-Z0-9_]* is not set$/,
];

const NETWORK_CODE = new RegExp(`\\b(?:${NETWORK_CODES.join("|")})\\b`);

/** The part of a logged message that anyone may read. */
export function publicReason(message: string): string {
  const [outermost = message] = message.split(CAUSED_BY, 1);
  for (const words of OWN_WORDS) {
    const [said] = words.exec(outermost) ?? [];
    if (said !== undefined) return said;
  }
  const answered = /^GET \S+ answered (\d{3}):/.exec(message)?.[1];
  if (answered !== undefined) return `HTTP ${answered} (${ELSEWHERE})`;
  const silent = /^GET \S+ failed: (silent for \d+ s)$/.exec(message)?.[1];
  if (silent !== undefined) return silent;
  // An SQLSTATE as `messageOf` prints it.
  const code = NETWORK_CODE.exec(message)?.[0] ?? /\(([0-9A-Z]{5})\)$/.exec(message)?.[1];
  return code === undefined ? ELSEWHERE : `${code} (${ELSEWHERE})`;
}

/** The same of a message that may be absent. */
export function publicReasonOf<T extends undefined | null>(message: string | T): string | T {
  return typeof message === "string" ? publicReason(message) : message;
}
