export const MESSAGE_ID = "Nats-Msg-Id";

const PREAMBLE_BYTES = "NATS/1.0\r\n\r\n".length;
/** Printable ASCII without a colon. */
const NAME = /^[!-9;-~]+$/;

/** Size of the headers on the wire in bytes: they count towards `max_payload`. */
export function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = PREAMBLE_BYTES;
  for (const [name, value] of Object.entries(headers)) {
    bytes += name.length + ": ".length + Buffer.byteLength(value) + "\r\n".length;
  }
  return bytes;
}

/** The name of the first header that the protocol cannot carry; undefined when all can be. */
export function unsendableHeader(headers: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(headers).find(([name, value]) => !NAME.test(name) || /[\r\n]/.test(value))?.[0];
}
