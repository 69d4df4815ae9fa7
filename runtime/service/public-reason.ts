import { NETWORK_CODES } from "../database/database-errors.js";
import { CAUSED_BY } from "../text/error-message.js";

/*
 * `/readyz` needs no key, so what it says of a failure is its class. The message itself may name
 * hosts, users, rows and what a hook was told in confidence: the log has it, and of a snapshot `mesh status` too.
 */

const ELSEWHERE = "the log says why";

/** Sentences of the runtime's own, up to where somebody else's words begin. Names of streams and durables are in the file. */
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

/** What anyone may read of a message that was logged. */
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
  // As `messageOf` puts an SQLSTATE.
  const code = NETWORK_CODE.exec(message)?.[0] ?? /\(([0-9A-Z]{5})\)$/.exec(message)?.[1];
  return code === undefined ? ELSEWHERE : `${code} (${ELSEWHERE})`;
}

/** The same of one that may not be there. */
export function publicReasonOf<T extends undefined | null>(message: string | T): string | T {
  return typeof message === "string" ? publicReason(message) : message;
}
