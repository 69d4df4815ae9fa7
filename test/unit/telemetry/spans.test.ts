import { ProxyTracer, trace } from "@opentelemetry/api";
import { NodeSDK, tracing } from "@opentelemetry/sdk-node";
import { afterAll, describe, expect, it } from "vitest";
import { activeTraceparent } from "../../../runtime/telemetry/active-span.js";
import {
  destinationOf,
  inCreateSpan,
  inProcessSpan,
  isTraced,
  startSend,
} from "../../../runtime/telemetry/spans.js";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CREATED = `00-${TRACE}-00f067aa0ba902b7-01`;

const exporter = new tracing.InMemorySpanExporter();
let sdk: NodeSDK | undefined;
afterAll(() => sdk?.shutdown());

function start(): void {
  sdk = new NodeSDK({
    autoDetectResources: false,
    spanProcessors: [new tracing.SimpleSpanProcessor(exporter)],
  });
  sdk.start();
}

/** An event whose headers count how often they are read. */
function message(seq: number, traceparent: string, onRead = () => {}) {
  const delivery = {
    seq,
    get headers() {
      onRead();
      return { traceparent };
    },
  };
  return { delivery, event: { event: { metadata: { event_id: `event-${seq}` } } } };
}

const batch = { durable: "sfs_auth_user", stream: "AUTH", destination: "auth.user.{id}.{action}" };

it("the destination of a durable is a template of its subjects, whatever form they have", () => {
  const of = (entity: string, filter: string) => destinationOf({ entity, filter });
  expect(of("auth.user", "auth.user.*.*")).toBe("auth.user.{id}.{action}");
  expect(of("auth.user", "auth.user.*.deleted")).toBe("auth.user.{id}.deleted");
  expect(of("platform.channel", "m.*.c.*.>")).toBe("m.*.c.*.>");
});

describe("spans", () => {
  it("do nothing per event where no SDK runs", async () => {
    let reads = 0;
    const due = [message(1, CREATED, () => reads++), message(2, CREATED, () => reads++)];
    expect(isTraced()).toBe(false);
    expect(await inProcessSpan({ ...batch, due }, async () => activeTraceparent() ?? "none")).toBe("none");
    await inProcessSpan({ ...batch, due: due.slice(0, 1) }, async () => undefined);
    expect(await inCreateSpan("auth.users", CREATED, async () => activeTraceparent() ?? "none")).toBe("none");
    expect(startSend("auth.user.u1.created", { traceparent: CREATED })).toBeUndefined();
    expect(reads).toBe(0);
  });

  it("reach an SDK that starts after the runtime was loaded, link each event of a batch, and name no ids", async () => {
    expect(trace.getTracer("of before")).toBeInstanceOf(ProxyTracer);
    start();
    expect(isTraced()).toBe(true);
    const other = CREATED.replace("4bf9", "5bf9");
    await inProcessSpan({ ...batch, due: [message(1, CREATED), message(2, other)] }, async () => undefined);
    await inProcessSpan({ ...batch, due: [message(3, CREATED)] }, async () => undefined);
    startSend("auth.user.u1.created", { traceparent: CREATED })?.();
    expect(startSend("auth.user.u1.created", { traceparent: CREATED.replace(/1$/, "0") })).toBeUndefined();
    const failing = inProcessSpan({ ...batch, due: [message(4, CREATED)] }, async () => {
      throw new TypeError("u1 is refused");
    });
    await expect(failing).rejects.toThrow("u1 is refused");
    const [together, alone, sent, failed] = exporter.getFinishedSpans();
    expect(together?.spanContext().traceId).not.toBe(TRACE);
    expect(together?.links.map(({ context }) => context.traceId)).toEqual([
      TRACE,
      TRACE.replace("4bf9", "5bf9"),
    ]);
    expect(together?.attributes["messaging.batch.message_count"]).toBe(2);
    expect(alone?.parentSpanContext?.spanId).toBe("00f067aa0ba902b7");
    expect(alone?.links).toEqual([]);
    expect(alone).toMatchObject({
      name: "process auth.user.{id}.{action}",
      attributes: { "messaging.destination.template": "auth.user.{id}.{action}" },
    });
    expect(sent?.name).toBe("send auth.user.{id}.created");
    expect(failed?.attributes["error.type"]).toBe("TypeError");
    const told = exporter.getFinishedSpans().map((one) => [one.name, one.attributes, one.status, one.events]);
    expect(JSON.stringify(told)).not.toMatch(/u1/);
  });
});
