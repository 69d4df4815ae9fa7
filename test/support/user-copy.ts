import { randomUUID } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, type JetStreamManager } from "nats";
import type pg from "pg";
import { inject } from "vitest";
import type { Broker } from "../../runtime/broker/broker.js";
import { connectJetStream } from "../../runtime/broker/jetstream.js";
import {
  type ConsumerOptions,
  type RunningConsumer,
  startConsumer,
} from "../../runtime/consumer/consumer.js";
import { silent } from "./loggers.js";
import { waitFor } from "./servers.js";
import {
  createPool,
  createServiceDatabase,
  type DefinitionChoices,
  eventBody,
  userConsumer,
} from "./user-consumer.js";

/*
 * One copy of users: a consumer's database, a stream that the test publishes to itself, and a source for snapshots
 * that says what the test wants it to say.
 */

export const DURABLE = "compute_auth_user";

export interface Said {
  readonly id: string;
  readonly action?: string;
  readonly version?: number;
  readonly username?: string;
  readonly padding?: string;
  readonly payload?: Readonly<Record<string, unknown>>;
}

export interface Copy {
  readonly stream: string;
  readonly url: string;
  readonly pool: pg.Pool;
  readonly sourceUrl: string;
  manager(): JetStreamManager;
  connect(): Promise<Broker>;
  start(choices?: DefinitionChoices, overrides?: Partial<ConsumerOptions>): Promise<RunningConsumer>;
  /** Publishes events and waits until they are stored. */
  say(...said: readonly Said[]): Promise<void>;
  sayRaw(id: string, body: Uint8Array): Promise<void>;
  /** How the source answers from now on. */
  serve(answer: RequestListener | readonly object[]): void;
  names(): Promise<Readonly<Record<string, string>>>;
  untilNames(expected: Readonly<Record<string, string>>, timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export interface CopyOptions {
  /** A broker of the test's own; else the run's. */
  readonly natsUrl?: string;
}

export async function openCopy({ natsUrl = inject("nats") }: CopyOptions = {}): Promise<Copy> {
  const stream = `F${randomUUID().slice(0, 8)}`;
  const url = await createServiceDatabase(inject("postgres"));
  const pool = createPool(url);
  const bare = await connect({
    servers: natsUrl,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 0,
  });
  const manager = await bare.jetstreamManager();
  const consumers: RunningConsumer[] = [];
  const brokers: Broker[] = [];
  let answer: RequestListener = (_, response) => response.writeHead(503).end("down");
  const source = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => source.listen(0, "127.0.0.1", resolve));
  const sourceUrl = `http://127.0.0.1:${(source.address() as AddressInfo).port}`;
  const connectBroker = async () => {
    const broker = await connectJetStream({ url: natsUrl, name: "test", logger: silent });
    brokers.push(broker);
    return broker;
  };
  const names = async () => {
    const { rows } = await pool.query<{ user_id: string; username: string }>(
      "SELECT user_id, username FROM user_cache ORDER BY user_id",
    );
    return Object.fromEntries(rows.map((row) => [row.user_id, row.username]));
  };
  return {
    stream,
    url,
    pool,
    sourceUrl,
    names,
    manager: () => manager,
    connect: connectBroker,
    async start(choices = {}, overrides = {}) {
      const consumer = startConsumer({
        pool,
        broker: overrides.broker ?? (await connectBroker()),
        definition: userConsumer({ stream, ...choices }),
        env: { AUTH_SERVICE_URL: sourceUrl, SFS_TO_AUTH_KEY: "k" },
        logger: silent,
        watchMs: 100,
        ...overrides,
      });
      consumers.push(consumer);
      await waitFor(() => consumer.stats().connected, { what: "the consumer to be attached" });
      return consumer;
    },
    async say(...said) {
      const publish = ({
        id,
        action = "updated",
        version,
        username = `name-${id}`,
        padding,
        payload,
      }: Said) =>
        bare.jetstream().publish(
          `${stream}.user.${id}.${action}`,
          eventBody({
            id,
            ...(version === undefined ? {} : { version }),
            payload: { username, ...(padding === undefined ? {} : { padding }), ...payload },
          }),
        );
      await Promise.all(said.map(publish));
    },
    async sayRaw(id, body) {
      await bare.jetstream().publish(`${stream}.user.${id}.created`, body);
    },
    serve(given) {
      answer = typeof given === "function" ? given : (_, response) => response.end(JSON.stringify(given));
    },
    async untilNames(expected, timeoutMs = 15_000) {
      let seen = "";
      const equal = async () => {
        seen = JSON.stringify(await names());
        return seen === JSON.stringify(expected);
      };
      await waitFor(equal, { timeoutMs, what: JSON.stringify(expected) }).catch((cause: Error) => {
        throw new Error(`${cause.message}; the cache is ${seen}`, { cause });
      });
    },
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      await Promise.all(brokers.map((broker) => broker.close()));
      await manager.streams.delete(stream).catch(() => false);
      await bare.close();
      await pool.end();
      source.closeAllConnections();
      await new Promise((resolve) => source.close(resolve));
    },
  };
}
