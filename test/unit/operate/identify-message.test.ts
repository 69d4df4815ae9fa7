import { expect, test } from "vitest";
import type { StoredMessage } from "../../../runtime/broker/broker.js";
import { type EventForm, identifier } from "../../../runtime/operate/identify-message.js";

/*
 * Whose event a message of a stream is, and how its subscribers name it: what trace and tail go by.
 */

const message = (
  subject: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): StoredMessage => ({
  ...{ subject, stream: "S", seq: 7, time: new Date(1_000), headers },
  body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
});

const order = (action: string, more: Partial<EventForm> = {}): EventForm => ({
  entity: "shop.order",
  action,
  ...more,
});

test("the documented envelope: ids with dots, slashes and letters of all scripts, of the body before the subject and the header", () => {
  const identify = identifier(undefined, [order("placed")]);
  for (const id of ["a.b", "x/y z", "Ünïcødé-名", "100%"]) {
    const token = [...Buffer.from(id)]
      .map((byte) =>
        /[\w/-]/.test(String.fromCharCode(byte)) && byte < 128
          ? String.fromCharCode(byte)
          : `%${byte.toString(16).toUpperCase()}`,
      )
      .join("");
    const body = { metadata: { event_id: "e1", entity_id: id, version: 3 } };
    const whole = { entity: "shop.order", action: "placed", id, eventId: "e1", version: 3 };
    expect(identify(message(`shop.order.${token}.placed`, body))).toEqual(whole);
    const bare = message(`shop.order.${token}.placed`, "", { "Nats-Msg-Id": "h1" });
    expect(identify(bare)).toEqual({ ...whole, eventId: "h1", version: null });
  }
});

test("what cannot be read, or is no event of the owner, is nobody's", () => {
  const nothing = { eventId: null, version: null };
  expect(identifier("cloudevents", [order("placed")])(message("shop.order.1.placed", "no JSON"))).toEqual({
    ...nothing,
    ...{ entity: "shop.order", action: null, id: null },
  });
  expect(identifier(undefined, [])(message("a.b", "[]"))).toEqual({
    ...nothing,
    ...{ entity: null, action: null, id: null },
  });
  expect(identifier(undefined, [])(message("a.b", '{"metadata": 5}'))).toMatchObject(nothing);
});

test("CloudEvents of one subject are told apart by type, and an event is named by source and id, as consumers do", () => {
  const identify = identifier("cloudevents", [
    order("placed", { subject: "shop.events.{id}", type: "placed" }),
    order("moved", { subject: "shop.events.{id}", type: "moved" }),
  ]);
  const event = { specversion: "1.0", id: "1", source: "/shop", data: {} };
  expect(identify(message("shop.events.o%2E1", { ...event, type: "moved" }))).toEqual({
    ...{ entity: "shop.order", action: "moved", id: "o.1", eventId: "/shop 1", version: null },
  });
  expect(identify(message("shop.events.o1", { ...event, type: "priced" }))).toMatchObject({ entity: null });
});

test("bare JSON whose fields say which entity and which event", () => {
  const identify = identifier("none", [
    {
      entity: "platform.gateway",
      action: "seen",
      subject: "gateways.seen",
      idField: "serial",
      eventIdField: "reading",
    },
  ]);
  expect(identify(message("gateways.seen", { serial: 5, reading: "r" }))).toMatchObject({
    id: "5",
    eventId: "r",
  });
  expect(identify(message("gateways.seen", { serial: 5 }))).toMatchObject({ id: "5", eventId: "S:7:1000" });
});
