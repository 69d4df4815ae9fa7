import { ErrorCode, NatsError } from "nats";
import { PublishFailed } from "./broker.js";

/*
 * What the broker means by its errors. The numbers are the `err_code`s of nats-server's errors.json.
 */

const STREAM_NOT_FOUND = 10059;
const CONSUMER_NOT_FOUND = 10014;
const MESSAGE_NOT_FOUND = 10037;
const STREAM_EXISTS = 10058;
/** Both mean a durable of the name with other settings; which one depends on the server's version. */
const CONSUMER_EXISTS: ReadonlySet<number | undefined> = new Set([10013, 10148]);
/** Refusals that the same message meets again whatever becomes of the broker. */
const MESSAGE_FAULTS = new Set([
  10054, // larger than the stream's max_msg_size
  10097, // headers larger than 64 KiB
]);

export function isDenied(error: unknown): boolean {
  return error instanceof NatsError && error.isPermissionError();
}

export function isTooLarge(error: unknown): boolean {
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
  return apiCode(error) === MESSAGE_NOT_FOUND;
}

/** What the client says, before it sends anything, of what the server is too old for. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof Error && / requires server /.test(error.message);
}

function apiCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}

/** Full streams (`discard: new`), lost quorums, ids in flight (nats-server#6415) all pass; only a few refusals are the message's own. */
export function refusalOf(error: {
  readonly err_code?: number;
  readonly description?: string;
}): PublishFailed {
  const fault = MESSAGE_FAULTS.has(error.err_code ?? 0) ? "message" : "broker";
  return new PublishFailed(`the stream refused: ${error.description ?? "no reason given"}`, fault);
}

/** The broker quotes a denied subject as Go does. */
export function quotedAsByBroker(subject: string): string {
  return subject.replace(/["\\]/g, "\\$&");
}
