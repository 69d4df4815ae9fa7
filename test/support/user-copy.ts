import type { RequestListener } from "node:http";
import type { JetStreamManager } from "nats";
import type pg from "pg";
import type { Broker } from "../../runtime/broker/broker.js";
import type { ConsumerOptions, RunningConsumer } from "../../runtime/consumer/consumer.js";
import { openRig } from "./consumer-rig.js";
import { waitFor } from "./servers.js";
import { type DefinitionChoices, eventBody, userConsumer } from "./user-consumer.js";

/*
 * A consumer's rig with one copy of users: its events by name, and its rows as names.
 */

export const DURABLE = "compute_auth_user";

export interface SentUser {
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
  say(...said: readonly SentUser[]): Promise<void>;
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

export async function openCopy({ natsUrl }: CopyOptions = {}): Promise<Copy> {
  const rig = await openRig(natsUrl);
  const { stream, pool, nats } = rig;
  const publish = (id: string, action: string, body: string | Uint8Array) =>
    nats.jetstream().publish(`${stream}.user.${id}.${action}`, body);
  const names = async () => {
    const { rows } = await pool.query<{ user_id: string; username: string }>(
      "SELECT user_id, username FROM user_cache ORDER BY user_id",
    );
    return Object.fromEntries(rows.map((row) => [row.user_id, row.username]));
  };
  return {
    stream,
    url: rig.url,
    pool,
    sourceUrl: rig.sourceUrl,
    names,
    manager: () => rig.manager,
    connect: rig.connect,
    async start(choices = {}, overrides = {}) {
      const consumer = await rig.start(userConsumer({ stream, ...choices }), { watchMs: 100, ...overrides });
      await waitFor(() => consumer.stats().connected, { what: "the consumer to be attached" });
      return consumer;
    },
    async say(...sent) {
      await Promise.all(
        sent.map(({ id, action = "updated", version, username = `name-${id}`, padding, payload }) =>
          publish(
            id,
            action,
            eventBody({
              id,
              ...(version === undefined ? {} : { version }),
              payload: { username, ...(padding === undefined ? {} : { padding }), ...payload },
            }),
          ),
        ),
      );
    },
    async sayRaw(id, body) {
      await publish(id, "created", body);
    },
    serve(answer) {
      rig.source = answer;
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
    close: rig.close,
  };
}
