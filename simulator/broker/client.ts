import type { Broker, Logger, StoredMessage } from "@meshwright/runtime";
import { matches, sendBy } from "@meshwright/runtime/simulation";
import { type Adversary, benign, directWire, type Wire } from "./adversary.js";
import { openSimulatedConnection, type SimulatedConnection } from "./connection.js";
import { createSimulatedPublishing } from "./publishing.js";
import { openPullSubscription } from "./pull-subscription.js";
import type { SimulatedServer } from "./server.js";

export interface SimulatedClientOptions {
  readonly server: SimulatedServer;
  /** The process's name in traces. */
  readonly name: string;
  readonly wire?: Wire;
  readonly adversary?: Adversary;
  readonly logger: Logger;
}

export interface SimulatedBroker extends Broker {
  /** Breaks the connection; the client reconnects. Requests in flight may have arrived or not. */
  cut(): void;
  /**
   * The process is gone: none of its requests is carried any more, and what it had in flight is redelivered after the ack
   * wait. Its code that still runs sees a broker that is unreachable for ever, so that it can be stopped.
   */
  die(): void;
}

/** A client of the simulated server. As with JetStream, it starts disconnected and connects by itself. */
export function connectSimulated(options: SimulatedClientOptions): SimulatedBroker {
  const { server, name, wire = directWire, adversary = benign, logger } = options;
  const { port } = server;
  const connection = openSimulatedConnection({ port, name, wire, logger });
  let maxPayload: number | undefined;
  connection.onStatus((status) => {
    if (status.kind === "connected") maxPayload = port.maxPayload;
  });
  const publish = createSimulatedPublishing({ connection, adversary, maxPayload: port.maxPayload });
  return {
    publish,
    send: sendBy(publish),
    maxPayload: () => maxPayload,
    connected: connection.connected,
    onStatus: connection.onStatus,
    async ensureStream(plan) {
      const { made, state } = await connection.ask(`ensure stream ${plan.name}`, (at) =>
        at.ensureStream(plan),
      );
      if (made) logger.info({ stream: plan.name, subjects: plan.subjects }, "stream created");
      return state;
    },
    streamState: (stream) => connection.ask(`state of stream ${stream}`, (at) => at.streamState(stream)),
    async ensureConsumer(plan) {
      const { durable, stream, filter } = plan;
      const ensured = await connection.ask(`ensure durable ${durable}`, (at) => at.ensureConsumer(plan));
      if (ensured.created) logger.info({ stream, durable, filter }, "durable created");
      return ensured;
    },
    consumerState: (stream, durable) =>
      connection.ask(`state of durable ${durable}`, (at) => at.consumerState(stream, durable)),
    async consume(plan, prefetch) {
      await connection.attached();
      return openPullSubscription({ connection, port, adversary, plan, prefetch });
    },
    replay: (stream, filter, fromSeq) => replay(connection, { stream, filter, fromSeq }),
    async storedMessage(stream, at) {
      const state = await connection.ask(`state of stream ${stream}`, (port) => port.streamState(stream));
      if (!state) throw new Error(`stream ${stream} does not exist, or may not be read`);
      const stored = await connection.ask(`read ${stream}`, (port) =>
        port.read(stream, state.firstSeq, state.lastSeq),
      );
      const found =
        "after" in at
          ? stored.find(({ seq, subject }) => seq > at.after && matches(at.filter, subject))
          : stored.findLast(({ seq, subject }) => ("seq" in at ? seq === at.seq : subject === at.last));
      return found && { ...found, time: new Date(found.time) };
    },
    deleteMessage: (stream, seq) =>
      connection.ask(`delete ${stream} #${seq}`, (port) => port.deleteMessage(stream, seq)),
    async subjectsOf(stream, filter) {
      const stored = await connection.ask(`subjects of ${stream}`, (port) =>
        port.read(stream, 0, Number.MAX_SAFE_INTEGER),
      );
      return [...new Set(stored.map(({ subject }) => subject))].filter((subject) => matches(filter, subject));
    },
    cut: connection.cut,
    die: connection.die,
    close: connection.close,
  };
}

/** Messages read per request. */
const REPLAY_BATCH = 64;

async function* replay(
  connection: SimulatedConnection,
  range: { readonly stream: string; readonly filter: string; readonly fromSeq: number },
): AsyncIterable<StoredMessage> {
  const { stream, filter, fromSeq } = range;
  const state = await connection.ask(`state of stream ${stream}`, (at) => at.streamState(stream));
  if (!state) throw new Error(`stream ${stream} does not exist, or may not be read`);
  for (let from = Math.max(fromSeq, state.firstSeq); from <= state.lastSeq; from += REPLAY_BATCH) {
    const to = Math.min(state.lastSeq, from + REPLAY_BATCH - 1);
    const stored = await connection.ask(`replay ${stream} #${from}`, (at) => at.read(stream, from, to));
    for (const { subject, seq, time, body, headers } of stored) {
      if (matches(filter, subject)) yield { subject, stream, seq, time: new Date(time), body, headers };
    }
  }
}
