import {
  type Attributes,
  type Context,
  context,
  ProxyTracer,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { headerOf, validTraceparent } from "./cause.js";

/*
 * Spans through the interface of OpenTelemetry alone: without an SDK in the process there are no spans. Names of
 * attributes are those of the semantic conventions of messaging, which are still in development; `nats` is no system that they list.
 *
 *   create   the transaction that writes rows or events: its context travels in the events' headers
 *   send     the relay publishes an event whose trace is sampled
 *   process  a consumer applies events: a child of the event's span where it is one, with a link for each where they are several
 */

/**
 * Undefined where no SDK runs: then nothing is done per event. Asked for at each use: an SDK that loads another copy of the interface
 * reaches no tracer from before its start.
 */
function tracer(): Tracer | undefined {
  const found = trace.getTracer("@meshwright/runtime");
  return found instanceof ProxyTracer ? undefined : found;
}

/** An SDK runs in this process, and spans of ours reach it. */
export function isTraced(): boolean {
  return tracer() !== undefined;
}

const SYSTEM = { "messaging.system": "nats" };
/** Links of one span; a batch may have a thousand events. */
const MOST_LINKS = 128;

type Headers = Readonly<Record<string, string>>;

/** The context of a `traceparent`; undefined for what is none. */
function remoteContext(traceparent: unknown): SpanContext | undefined {
  const [, traceId, spanId, flags] = validTraceparent(traceparent)?.split("-") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

function within(parent: SpanContext | undefined): Context {
  return parent === undefined ? context.active() : trace.setSpanContext(context.active(), parent);
}

async function run<T>(span: Span, parent: Context, work: () => Promise<T>): Promise<T> {
  try {
    return await context.with(trace.setSpan(parent, span), work);
  } catch (error) {
    fail(span, error);
    throw error;
  } finally {
    span.end();
  }
}

function fail(span: Span, error: unknown): void {
  span.setAttribute("error.type", error instanceof Error ? error.name : "_OTHER");
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** The transaction of a request that writes rows. `traceparent`: what the request says, where no instrumentation has read it. */
export async function inCreateSpan<T>(
  destination: string,
  traceparent: unknown,
  work: () => Promise<T>,
): Promise<T> {
  const traced = tracer();
  if (traced === undefined) return await work();
  const parent = within(trace.getActiveSpan() === undefined ? remoteContext(traceparent) : undefined);
  const attributes = operation("create", destination);
  const span = traced.startSpan(`create ${destination}`, { kind: SpanKind.PRODUCER, attributes }, parent);
  return await run(span, parent, work);
}

/** A publish of an event whose trace is sampled: `done` ends the span. Undefined for every other event, which costs nothing. */
export function startSend(
  subject: string,
  headers: Headers | undefined,
): ((error?: unknown) => void) | undefined {
  const traceparent = headers?.traceparent;
  const traced = traceparent?.endsWith("-01") === true ? tracer() : undefined;
  if (traced === undefined) return undefined;
  // The template, never the subject itself: names of spans are few.
  const destination = subject.replace(/^([^.]+\.[^.]+)\.[^.]+\./, "$1.{id}.");
  const attributes = operation("send", destination);
  const span = traced.startSpan(
    `send ${destination}`,
    { kind: SpanKind.CLIENT, attributes },
    within(remoteContext(traceparent)),
  );
  return (error) => {
    if (error !== undefined) fail(span, error);
    span.end();
  };
}

/** The template of what a durable receives: `auth.user.{id}.{action}`, `auth.user.{id}.deleted`; of other subjects their filter. */
export function destinationOf({
  entity,
  filter,
}: {
  readonly entity: string;
  readonly filter: string;
}): string {
  if (!filter.startsWith(`${entity}.`)) return filter;
  const action = filter.split(".").at(-1);
  return `${entity}.{id}.${action === "*" || action === undefined ? "{action}" : action}`;
}

export interface Processed {
  readonly durable: string;
  readonly stream: string;
  /** Template of the subjects, `destinationOf`. */
  readonly destination: string;
  readonly due: readonly ProcessedMessage[];
}

interface ProcessedMessage {
  readonly delivery: { readonly headers: Headers; readonly seq: number };
  readonly event: { readonly event: { readonly metadata: { readonly event_id: string } } };
}

/** Events that are applied together. Their headers are read for a span that is recorded only. */
export async function inProcessSpan<T>(
  { durable, stream, destination, due }: Processed,
  work: () => Promise<T>,
): Promise<T> {
  const traced = tracer();
  if (traced === undefined) return await work();
  const only = due.length === 1 ? due[0] : undefined;
  const parent = within(only && createdBy(only));
  const attributes: Attributes = {
    ...operation("process", destination),
    "messaging.consumer.group.name": durable,
    "messaging.nats.stream.name": stream,
    ...(only === undefined
      ? { "messaging.batch.message_count": due.length }
      : {
          "messaging.message.id": only.event.event.metadata.event_id,
          "messaging.nats.message.stream_sequence": only.delivery.seq,
        }),
  };
  const span = traced.startSpan(`process ${destination}`, { kind: SpanKind.CONSUMER, attributes }, parent);
  if (only === undefined && span.isRecording()) {
    for (const one of due.slice(0, MOST_LINKS)) {
      const created = createdBy(one);
      const attributes = { "messaging.message.id": one.event.event.metadata.event_id };
      if (created !== undefined) span.addLink({ context: created, attributes });
    }
  }
  return await run(span, parent, work);
}

function createdBy({ delivery }: ProcessedMessage): SpanContext | undefined {
  return remoteContext(headerOf(delivery.headers, "traceparent"));
}

function operation(name: "create" | "send" | "process", destination: string): Attributes {
  return {
    ...SYSTEM,
    "messaging.operation.name": name,
    "messaging.operation.type": name,
    "messaging.destination.template": destination,
  };
}
