import type { Delivery } from "@meshwright/runtime";
import type { Adversary } from "./adversary.js";
import type { SimulatedConnection } from "./connection.js";
import type { Taken } from "./durable.js";
import type { ServerPort } from "./port.js";
import type { DurableName } from "./server-state.js";

export interface DeliveryContext {
  readonly connection: SimulatedConnection;
  readonly adversary: Adversary;
  readonly name: DurableName;
  readonly ackWaitMs: number;
}

/** A message in the prefetch buffer. */
export interface Outstanding {
  readonly delivery: Delivery;
  /** When (ms) the ack wait was last started anew. */
  touchedAt(): number;
}

/** A delivery settles once. Its ack, nak or term is sent without waiting, and may be lost. */
export function createDelivery(context: DeliveryContext, { entry, deliveries }: Taken): Outstanding {
  const { connection, adversary, name, ackWaitMs } = context;
  const { subject, stream, seq, time, body, headers } = entry;
  let settled = false;
  let touchedAt = Date.now();

  const send = (verb: string, work: (port: ServerPort) => void) => {
    const what = `${verb} ${name.durable} #${seq}`;
    connection.send(what, (port) => {
      if (!adversary.losesSettling(what)) work(port);
    });
  };
  const settle = (verb: string, work: (port: ServerPort) => void) => {
    if (settled) return;
    settled = true;
    send(verb, work);
  };
  const delivery: Delivery = {
    subject,
    stream,
    seq,
    time: new Date(time),
    body,
    headers,
    deliveries,
    ack: () => settle("ack", (port) => port.settle(name, seq)),
    term: () => settle("term", (port) => port.settle(name, seq)),
    nak: (delayMs) => settle("nak", (port) => port.postpone(name, seq, Math.max(0, delayMs))),
    working() {
      if (settled) return;
      touchedAt = Date.now();
      send("working", (port) => port.postpone(name, seq, ackWaitMs));
    },
  };
  return { delivery, touchedAt: () => touchedAt };
}
