import { ErrorCode, NatsError } from "nats";
import { PublishFailed } from "./broker.js";

/*
 * Error mapping of the broker: what its errors and the client's mean. The numbers are the `err_code`s of nats-server's
 * errors.json.
 */

const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;
/** Of a read, and of a deletion. */
const MESSAGE_NOT_FOUND: ReadonlySet<number | undefined> = new Set([10037, 10043]);
const STREAM_EXISTS = 10058;
/** Both mean that a durable of this name has other settings; which of them is sent depends on the server's version. */
const CONSUMER_EXISTS: ReadonlySet<number | undefined> = new Set([10013, 10148]);
/** Refusals of the message itself: publishing it again cannot succeed. */
const MESSAGE_FAULTS = new Set([
  10054, // larger than the stream's max_msg_size
  10097, // headers larger than 64 KiB
]);

export function isDenied(error: unknown): boolean {
  return error instanceof NatsError && error.isPermissionError();
}

function isTooLarge(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.MaxPayloadExceeded;
}

export function isStreamMissing(error: unknown): boolean {
  return apiCode(error) === STREAM_NOT_FOUND;
}

export function isStreamTaken(error: unknown): boolean {
  return apiCode(error) === STREAM_EXISTS;
}

export function isConsumerMissing(error: unknown): boolean {
  return apiCode(error) === CONSUMER_NOT_FOUND;
}

export function isConsumerTaken(error: unknown): boolean {
  return CONSUMER_EXISTS.has(apiCode(error));
}

export function isMessageMissing(error: unknown): boolean {
  return MESSAGE_NOT_FOUND.has(apiCode(error));
}

/** The client refuses to send a request for which the server is too old. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof Error && / requires server /.test(error.message);
}

function apiCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}

/**
 * The error of a publish ack. Only a few are the message's own: full streams (`discard: new`), lost quorums and ids in
 * flight (nats-server#6415) all pass.
 */
export function publishRefused(error: {
  readonly err_code?: number;
  readonly description?: string;
}): PublishFailed {
  const fault = MESSAGE_FAULTS.has(error.err_code ?? 0) ? "message" : "broker";
  return new PublishFailed(`the stream refused: ${error.description ?? "no reason given"}`, fault);
}

/** What the client throws before anything is sent: an impossible header, a body that is too large, a closed connection. */
export function sendFailed(cause: unknown): PublishFailed {
  const message = cause instanceof Error ? cause.message : String(cause);
  const fault = isTooLarge(cause) || /header/i.test(message) || isDenied(cause) ? "message" : "broker";
  return new PublishFailed(isTooLarge(cause) ? "larger than the broker's max_payload" : message, fault, {
    cause,
  });
}

/** A denied subject as the broker's error quotes it, which is how Go does. */
export function quotedAsByBroker(subject: string): string {
  return subject.replace(/["\\]/g, "\\$&");
}
