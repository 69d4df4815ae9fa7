import type { JetStreamManager, NatsConnection } from "nats";
import { type Broker, PublishFailed } from "./broker.js";
import { isDenied } from "./broker-errors.js";
import { BROKER_ANSWER_MS, type ConnectOptions, openConnection } from "./connection.js";
import { consumerStateOf, ensureConsumer, readConsumer } from "./durables.js";
import { createPublishing } from "./publishing.js";
import { openPullSubscription } from "./pull-subscription.js";
import { deleteMessage, readMessage, replayStream } from "./replay.js";
import { ensureStream, readStream, stateOf } from "./streams.js";

/*
 * NATS JetStream, 2.9.10 and later, as the runtime's broker. This folder alone knows the client.
 *
 * What a user needs, beside subscribing to `_INBOX_<service>.>`:
 *  - to publish: its subjects;
 *  - to consume durable D of stream S: `$JS.API.CONSUMER.INFO.S.D`, `$JS.API.CONSUMER.MSG.NEXT.S.D`,
 *    `$JS.ACK.S.D.>` and, from 2.15 on, `$JS.ACK.*.*.S.D.>`;
 *  - to keep dead letters in stream S: `$JS.API.STREAM.INFO.S`, `$JS.API.STREAM.MSG.GET.S`, `$JS.API.STREAM.MSG.DELETE.S`;
 *  - to see its own stream, and to recover after a restored backup: `$JS.API.STREAM.INFO.S`,
 *    `$JS.API.STREAM.MSG.GET.S`;
 *  - where no provisioner does it, to create and adjust: `$JS.API.STREAM.CREATE.S`,
 *    `$JS.API.STREAM.UPDATE.S`, `$JS.API.CONSUMER.CREATE.S.D.>`, and, before 2.14, `$JS.API.CONSUMER.DELETE.S.D`.
 *
 * These permissions alone let a user do everything: the broker sends answers wherever a request says. So the generated
 * nats.conf gives each service an account of its own, which imports these subjects from the one that has JetStream.
 */

export type { ConnectOptions } from "./connection.js";

/** Resolves at once, also while the broker is down: it connects when it can, and reconnects for ever. */
export async function connectJetStream(options: ConnectOptions): Promise<Broker> {
  const { logger, answerMs = BROKER_ANSWER_MS } = options;
  const connection = openConnection(options);
  const inboxPrefix = `_INBOX_${options.name}`;
  const publishing = createPublishing(connection, inboxPrefix);
  let maxPayload: number | undefined;
  connection.onStatus((status) => {
    if (status.kind === "connected") maxPayload = connection.client()?.info?.max_payload;
  });
  const managers = new WeakMap<NatsConnection, Promise<JetStreamManager>>();

  const managerOf = (client: NatsConnection) => {
    const known = managers.get(client);
    if (known) return known;
    // Without the check: it would need permission to `$JS.API.INFO`.
    const made = client.jetstreamManager({ checkAPI: false, timeout: answerMs });
    managers.set(client, made);
    return made;
  };
  const manager = async () => managerOf(await connection.connected(answerMs));

  return {
    publish: (message) =>
      new Promise((resolve, reject) => {
        publishing.send(message, (outcome) => {
          if (outcome instanceof PublishFailed) reject(outcome);
          else resolve(outcome);
        });
      }),
    send: publishing.send,
    maxPayload: () => maxPayload,
    connected: () => connection.client() !== undefined,
    instance: () => connection.client()?.info?.server_id,
    onStatus: connection.onStatus,
    ensureStream: async (plan) => ensureStream(await manager(), plan, logger),
    async streamState(name) {
      const info = await readStream(await manager(), name);
      return info && stateOf(info);
    },
    ensureConsumer: async (plan) => ensureConsumer(await manager(), plan, logger),
    async consumerState(stream, durable) {
      const info = await readConsumer(await manager(), stream, durable);
      return info && consumerStateOf(info);
    },
    async consume(plan, prefetch) {
      await connection.connected(answerMs);
      return openPullSubscription({ connection, manager: managerOf, inboxPrefix, plan, prefetch, logger });
    },
    async *replay(stream, filter, fromSeq) {
      const asked = await manager();
      const info = await readStream(asked, stream);
      if (!info) throw new Error(`stream ${stream} does not exist, or may not be read`);
      const { first_seq: first, last_seq: to } = info.state;
      try {
        yield* replayStream(asked, { stream, filter, from: Math.max(fromSeq, first), to });
      } catch (cause) {
        if (!isDenied(cause)) throw cause;
        throw new Error(`stored messages may not be read: allow $JS.API.STREAM.MSG.GET.${stream}`, { cause });
      }
    },
    storedMessage: async (stream, at) => readMessage(await manager(), stream, at),
    deleteMessage: async (stream, seq) => deleteMessage(await manager(), stream, seq),
    async subjectsOf(stream, filter) {
      const { state } = await (await manager()).streams.info(stream, { subjects_filter: filter });
      return Object.keys(state.subjects ?? {});
    },
    async close() {
      publishing.close();
      await connection.close();
    },
  };
}
