import { randomUUID } from "node:crypto";
import type { RequestListener } from "node:http";
import { connect, type JetStreamManager, type NatsConnection } from "nats";
import type pg from "pg";
import { inject } from "vitest";
import type { Broker } from "../../runtime/broker/broker.js";
import { connectJetStream } from "../../runtime/broker/jetstream.js";
import {
  type ConsumerOptions,
  type RunningConsumer,
  startConsumer,
} from "../../runtime/consumer/consumer.js";
import type { ConsumerDefinition } from "../../runtime/definition/consumer-definition.js";
import { startAnswering } from "./answering-server.js";
import { silent } from "./loggers.js";
import { waitFor } from "./servers.js";
import { createPool, createServiceDatabase } from "./user-consumer.js";

/** A test's own stream, database and snapshot source, on the shared servers. */
export interface Rig {
  readonly nats: NatsConnection;
  readonly manager: JetStreamManager;
  readonly stream: string;
  /** Of the consumer's database. */
  readonly url: string;
  readonly pool: pg.Pool;
  readonly sourceUrl: string;
  /** What the snapshot source answers: rows, or as the function says; undefined: status 503. */
  source: readonly object[] | RequestListener | undefined;
  /** How often the source was read. */
  reads(): number;
  connect(): Promise<Broker>;
  start(definition: ConsumerDefinition, overrides?: Partial<ConsumerOptions>): Promise<RunningConsumer>;
  say(event: SentEvent): Promise<void>;
  /** Every message was delivered and settled. */
  settled(durable: string): Promise<boolean>;
  close(): Promise<void>;
}

export interface SentEvent {
  readonly id: string;
  readonly action: string;
  readonly version?: number;
  readonly payload?: Readonly<Record<string, unknown>>;
}

export async function openRig(broker = inject("nats")): Promise<Rig> {
  const stream = `S${randomUUID().slice(0, 8)}`;
  const nats = await connect({ servers: broker, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  const manager = await nats.jetstreamManager();
  const url = await createServiceDatabase(inject("postgres"));
  const pool = createPool(url);
  const consumers: RunningConsumer[] = [];
  const brokers: Broker[] = [];
  let reads = 0;
  const server = await startAnswering((request, response) => {
    reads += 1;
    const { source } = rig;
    if (source === undefined) response.writeHead(503).end("down");
    else if (typeof source === "function") source(request, response);
    else response.end(JSON.stringify(source));
  });
  const sourceUrl = server.url;
  const rig: Rig = {
    nats,
    manager,
    stream,
    url,
    pool,
    sourceUrl,
    source: undefined,
    reads: () => reads,
    async connect() {
      const own = await connectJetStream({ url: broker, name: "test", logger: silent });
      brokers.push(own);
      return own;
    },
    async start(definition, overrides = {}) {
      const env = { AUTH_SERVICE_URL: sourceUrl, SFS_TO_AUTH_KEY: "k" };
      const options = {
        pool,
        broker: overrides.broker ?? (await rig.connect()),
        definition,
        env,
        logger: silent,
        watchMs: 200,
        ...overrides,
      };
      const consumer = startConsumer(options);
      consumers.push(consumer);
      return consumer;
    },
    async say({ id, action, version, payload }) {
      const metadata = {
        event_id: randomUUID(),
        entity_id: id,
        timestamp: 1705920000,
        source: "auth-service",
        ...(version === undefined ? {} : { version }),
      };
      const body = JSON.stringify({ metadata, user_id: id, username: `name-${id}`, ...payload });
      // A broker that has just started may not answer a publish: retry under the same message id.
      const publish = () =>
        nats
          .jetstream({ timeout: 1_000 })
          .publish(`${stream}.user.${id}.${action}`, body, { msgID: metadata.event_id });
      await waitFor(publish, { what: `the ack of ${id} ${action}` });
    },
    async settled(durable) {
      const state = await manager.consumers.info(stream, durable);
      return state.num_pending === 0 && state.num_ack_pending === 0;
    },
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      await Promise.all(brokers.map((broker) => broker.close()));
      await pool.end();
      await manager.streams.delete(stream).catch(() => false);
      await nats.close();
      await server.close();
    },
  };
  return rig;
}
