import { isSpanContextValid, trace } from "@opentelemetry/api";

/** The `traceparent` of the span that is active here; undefined where none is recorded or propagated. */
export function activeTraceparent(): string | undefined {
  const active = trace.getActiveSpan()?.spanContext();
  if (active === undefined || !isSpanContextValid(active)) return undefined;
  return `00-${active.traceId}-${active.spanId}-${active.traceFlags.toString(16).padStart(2, "0")}`;
}
