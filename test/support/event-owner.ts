import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { inject } from "vitest";
import type { Broker } from "../../runtime/broker/broker.js";
import { connectJetStream } from "../../runtime/broker/jetstream.js";
import type { StreamDefinition } from "../../runtime/definition/stream-definition.js";
import { enqueueEvent } from "../../runtime/outbox/enqueue.js";
import { type Relay, startRelay } from "../../runtime/outbox/relay.js";
import { migrate } from "../../runtime/schema/index.js";
import { streamPlan } from "./broker-plans.js";
import { eventDefinition } from "./event-definition.js";
import { type LogLine, recordingLogger } from "./loggers.js";
import { createDatabase, waitFor } from "./servers.js";

export interface WireEvent {
  readonly seq: number;
  readonly subject: string;
  readonly messageId: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly event: {
    readonly metadata: { readonly event_id: string; readonly entity_id: string; readonly version: number };
    readonly n: number;
  };
}

/** A service that owns a database with the `mesh` schema, and a stream that only it publishes to. */
export interface Owner {
  readonly url: string;
  readonly pool: pg.Pool;
  readonly stream: StreamDefinition;
  readonly service: string;
  readonly broker: Broker;
  readonly lines: readonly LogLine[];
  /** Enqueues one event in its own transaction. */
  emit(id: string, n?: number, action?: string): Promise<void>;
  /** Enqueues `events` events for each of the entities `prefix0`, `prefix1`, … */
  fill(prefix: string, entities: number, events?: number): Promise<void>;
  relay(broker?: Broker): Relay;
  waiting(): Promise<number>;
  drained(timeoutMs?: number): Promise<void>;
  /** The messages in the stream. */
  wire(): Promise<readonly WireEvent[]>;
  connect(): Promise<Broker>;
  close(): Promise<void>;
}

export interface OwnerOptions {
  /** A broker of the test's own; else the run's. */
  readonly natsUrl?: string;
  /** A database that exists, with the schema. */
  readonly url?: string;
  readonly stream?: StreamDefinition;
}

export async function openOwner(options: OwnerOptions = {}): Promise<Owner> {
  const url = options.url ?? (await createDatabase(inject("postgres"), "owner"));
  const stream = options.stream ?? streamPlan();
  const service = stream.name.toLowerCase();
  const lines: LogLine[] = [];
  const logger = recordingLogger(lines);
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  pool.on("error", () => undefined);
  if (options.url === undefined) await migrateMesh(pool);
  const natsUrl = options.natsUrl ?? inject("nats");
  const connect = () => connectJetStream({ url: natsUrl, name: service, logger });
  const broker = await connect();
  const relays: Relay[] = [];
  const brokers: Broker[] = [broker];
  const waiting = async () => {
    const { rows } = await pool.query<{ count: string }>("SELECT count(*) FROM mesh.outbox");
    return Number(rows[0]?.count);
  };
  return {
    url,
    pool,
    stream,
    service,
    broker,
    lines,
    waiting,
    emit: (id, n = 0, action = "updated") =>
      withTransaction(pool, (tx) => emitUser(tx, { service, id, n, action })),
    fill: (prefix, entities, events = 1) => fillOutbox(pool, { service, prefix, entities, events }),
    relay(over = broker) {
      const options = {
        pool,
        broker: over,
        service: { name: service, stream, publishes: [`${service}.user.*.*`] },
      };
      const relay = startRelay({ ...options, logger });
      relays.push(relay);
      return relay;
    },
    drained: async (timeoutMs = 20_000) => {
      await waitFor(async () => (await waiting()) === 0, { timeoutMs, what: "an empty outbox" });
    },
    async wire() {
      const events: WireEvent[] = [];
      for await (const { seq, subject, headers, body } of broker.replay(stream.name, ">", 1)) {
        const event = JSON.parse(Buffer.from(body).toString()) as WireEvent["event"];
        events.push({ seq, subject, headers, messageId: headers["Nats-Msg-Id"], event });
      }
      return events;
    },
    connect: async () => {
      const made = await connect();
      brokers.push(made);
      return made;
    },
    async close() {
      await Promise.all(relays.map((relay) => relay.stop()));
      await Promise.all(brokers.map((made) => made.close()));
      await pool.end();
    },
  };
}

export async function migrateMesh(pool: pg.Pool): Promise<void> {
  const none = await mkdtemp(join(tmpdir(), "mesh-none-"));
  await migrate(pool, { service: "owner", migrations: none, logger: recordingLogger() });
  await rm(none, { recursive: true });
}

export async function withTransaction<T>(pool: pg.Pool, work: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

const userEvent = (action: string) => eventDefinition({ action, fields: ["n", "note"] });

export async function emitUser(
  tx: pg.ClientBase,
  change: {
    readonly service: string;
    readonly id: string;
    readonly n?: number;
    readonly action?: string;
    readonly note?: string;
  },
): Promise<void> {
  const { service, id, n = 0, action = "updated", note } = change;
  const payload = note === undefined ? { n } : { n, note };
  await enqueueEvent(tx, {
    source: `${service}-service`,
    service,
    event: userEvent(action),
    entityId: id,
    payload,
  });
}

/** Field `n` counts the events of an entity from 1. */
async function fillOutbox(
  pool: pg.Pool,
  {
    service,
    prefix,
    entities,
    events,
  }: { service: string; prefix: string; entities: number; events: number },
): Promise<void> {
  for (let n = 1; n <= events; n += 1) {
    await pool.query(
      `WITH taken AS (SELECT gen_random_uuid() AS event_id, $2 || place AS id, mesh.next_version($1 || '.user', $2 || place) AS version
                      FROM generate_series(0, $3::int - 1) AS place)
       INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body)
       SELECT event_id, $1 || '.user.' || mesh.token(id) || '.updated', $1 || '.user', id, version,
              json_build_object('metadata', json_build_object('event_id', event_id, 'entity_id', id, 'timestamp', 0, 'source', 's', 'version', version), 'n', $4::int)::text
       FROM taken ORDER BY random()`,
      [service, prefix, entities, n],
    );
  }
  await pool.query("SELECT pg_notify('mesh_outbox', '')");
}

/** One line for each version that does not follow its entity's version before by one, duplicates included. */
export function orderFaults(wire: readonly WireEvent[]): string[] {
  const last = new Map<string, number>();
  const faults: string[] = [];
  for (const { subject, seq, event } of wire) {
    const { entity_id: id, version } = event.metadata;
    const before = last.get(id) ?? 0;
    if (version !== before + 1) faults.push(`${subject}@${seq}: version ${version} after ${before}`);
    last.set(id, version);
  }
  return faults;
}
