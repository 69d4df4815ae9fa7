import { describe, expect, it } from "vitest";
import {
  causeOfEvent,
  causeOfRequest,
  headerId,
  validTraceparent,
} from "../../../runtime/telemetry/cause.js";

const EVENT = "8b0c6a3e-52a7-4a7e-9d0e-3f6f5a1c2b4d";
const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

describe("what follows from an event", () => {
  it("names the event, and begins a correlation and a trace with its id where it tells none", () => {
    expect(causeOfEvent(EVENT, {})).toEqual({
      "Mesh-Causation-Id": EVENT,
      "Mesh-Correlation-Id": EVENT,
      traceparent: "00-8b0c6a3e52a74a7e9d0e3f6f5a1c2b4d-9d0e3f6f5a1c2b4d-00",
    });
  });

  it("takes correlation and trace over, from a foreign publisher too, whatever the case of its headers", () => {
    const headers = { "mesh-correlation-id": "order-7", Traceparent: TRACE };
    expect(causeOfEvent("evt/1", headers)).toEqual({
      "Mesh-Causation-Id": "evt/1",
      "Mesh-Correlation-Id": "order-7",
      traceparent: TRACE,
    });
  });

  it("keeps one trace id over hops that have none of their own", () => {
    const first = causeOfEvent("evt/1", {});
    const second = causeOfEvent(EVENT, { "Mesh-Correlation-Id": "evt/1" });
    expect(second.traceparent?.slice(0, 35)).toBe(first.traceparent?.slice(0, 35));
    expect(second.traceparent).not.toBe(first.traceparent);
  });

  it.each([
    ["a line break", "a\r\nNats-Msg-Id: x"],
    ["a space", "a b"],
    ["beyond ASCII", "ü"],
    ["too long", "x".repeat(129)],
    ["empty", ""],
  ])("ignores a correlation id with %s", (_, hostile) => {
    expect(causeOfEvent(EVENT, { "Mesh-Correlation-Id": hostile })["Mesh-Correlation-Id"]).toBe(EVENT);
    expect(causeOfRequest({ "mesh-correlation-id": hostile })).toBeUndefined();
  });

  it("encodes the id of a hostile event, and leaves out one that is too long", () => {
    expect(causeOfEvent("a\r\nb: c%ü", {})["Mesh-Causation-Id"]).toBe("a%0D%0Ab:%20c%25%C3%BC");
    expect(causeOfEvent("x".repeat(129), {})).toEqual({});
    expect(headerId("ü".repeat(100))).toBeUndefined();
  });
});

describe("traceparent", () => {
  it.each([
    [TRACE, TRACE],
    ["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later", TRACE],
    [`${TRACE}-more`, undefined],
    [TRACE.toUpperCase(), undefined],
    ["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", undefined],
    ["00-00000000000000000000000000000000-00f067aa0ba902b7-01", undefined],
    ["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", undefined],
    [`${TRACE}\r\nNats-Msg-Id: x`, undefined],
    [["one", "two"], undefined],
    [undefined, undefined],
  ])("%j is %j", (given, expected) => {
    expect(validTraceparent(given)).toBe(expected);
  });

  it("of a request is taken as it is; without one the event begins its own chain", () => {
    expect(causeOfRequest({ traceparent: TRACE })).toEqual({ traceparent: TRACE });
    expect(causeOfRequest({ traceparent: "rubbish" })).toBeUndefined();
  });
});
