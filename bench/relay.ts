import pg from "pg";
import type { Broker } from "../runtime/broker/broker.js";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import type { Logger, StreamDefinition } from "../runtime/definition.js";
import { startRelay } from "../runtime/outbox/relay.js";
import { median, type Row } from "./report.js";

/*
 * The relay against bare publishing: the same client, the same events, as many in flight, every ack
 * awaited. What the relay adds is reading the rows, keeping their order, and deleting them.
 */

const EVENTS = 20_000;
const IN_FLIGHT = 1_024;
const ROUNDS = 5;
const BUDGET = 0.8;

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export interface RelayBenchOptions {
  /** A database with the `mesh` schema, and nothing in its outbox. */
  readonly postgresUrl: string;
  readonly natsUrl: string;
}

interface Event {
  readonly event_id: string;
  readonly subject: string;
  readonly body: string;
}

/** Medians of rounds that take turns, so that a busy moment of the machine meets both. */
export async function benchRelay(options: RelayBenchOptions): Promise<readonly Row[]> {
  const pool = new pg.Pool({ connectionString: options.postgresUrl, max: 2 });
  const broker = await connectJetStream({ url: options.natsUrl, name: "bench", logger: silent });
  const service = `bench_${Date.now().toString(36)}`;
  const stream: StreamDefinition = {
    name: service.toUpperCase(),
    subjects: [`${service}.user.*.*`],
    maxAgeSeconds: 3_600,
    maxMessages: 10_000_000,
    maxBytes: 4 * 1_024 ** 3,
    duplicateWindowSeconds: 120,
  };
  await broker.ensureStream(stream);
  const bare: number[] = [];
  const relayed: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const events = await fillOutbox(pool, service);
    const bareRate = await publishBare(broker, events.map(withOtherId));
    const relayRate = await publishRelayed(pool, broker, stream);
    // The first round warms both up.
    if (round === 0) continue;
    bare.push(bareRate);
    relayed.push(relayRate);
    ratios.push(relayRate / bareRate);
  }
  await broker.close();
  await pool.end();
  const ratio = median(ratios);
  return [
    { what: "bare pipelined publishing", value: `${Math.round(median(bare))}/s`, budget: "", met: true },
    { what: "relay, backlog of 20,000", value: `${Math.round(median(relayed))}/s`, budget: "", met: true },
    {
      what: "relay / bare",
      value: `${(ratio * 100).toFixed(0)}%`,
      budget: `≥ ${BUDGET * 100}%`,
      met: ratio >= BUDGET,
    },
  ];
}

async function fillOutbox(pool: pg.Pool, service: string): Promise<readonly Event[]> {
  const { rows } = await pool.query<Event>(
    `INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body)
     SELECT event_id, $2 || '.user.' || id || '.updated', $2 || '.user', id, 1,
            json_build_object('metadata', json_build_object('event_id', event_id, 'entity_id', id, 'timestamp', 1700000000,
              'source', 'bench-service', 'version', 1), 'user_id', id, 'username', 'user ' || id, 'display_name', 'User Number ' || id)::text
     FROM (SELECT gen_random_uuid() AS event_id, 'u' || place AS id FROM generate_series(1, $1::int) AS place) AS made
     RETURNING event_id, subject, body`,
    [EVENTS, service],
  );
  // What a database does to a table of its own accord, at a time that falls on neither side of the comparison.
  await pool.query("VACUUM ANALYZE mesh.outbox");
  return rows;
}

/** The same event under another id, or the broker would take the relay's for a duplicate. */
function withOtherId({ event_id, subject, body }: Event): Event {
  return { event_id: event_id.replace(/^.{8}/, "00000000"), subject, body };
}

async function publishBare(broker: Broker, events: readonly Event[]): Promise<number> {
  const messages = events.map(({ event_id: id, subject, body }) => ({ id, subject, body: Buffer.from(body) }));
  const started = performance.now();
  let next = 0;
  const lane = async () => {
    for (let message = messages[next++]; message; message = messages[next++]) await broker.publish(message);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return (events.length / (performance.now() - started)) * 1_000;
}

/** From the first ack to the last release: its start (connection, lock, comparison with the stream) is not what is measured. */
async function publishRelayed(pool: pg.Pool, broker: Broker, stream: StreamDefinition): Promise<number> {
  let started = 0;
  const timed: Broker = {
    ...broker,
    publish: (message) => {
      if (started === 0) started = performance.now();
      return broker.publish(message);
    },
  };
  // Else it would read what was published bare as events that its database never heard of.
  const state = await broker.streamState(stream.name);
  await pool.query("UPDATE mesh.relay SET stream = $1, stream_created = $2, last_seq = $3", [
    stream.name,
    state?.created,
    state?.lastSeq,
  ]);
  const relay = startRelay({
    pool,
    broker: timed,
    service: { name: "bench", stream, publishes: stream.subjects },
    logger: silent,
  });
  while (relay.stats().published < EVENTS) await new Promise((wake) => setTimeout(wake, 5));
  await relay.stop();
  const { rows } = await pool.query<{ left: string }>("SELECT count(*) AS left FROM mesh.outbox");
  if (Number(rows[0]?.left) !== 0) throw new Error(`${rows[0]?.left} rows were left in the outbox`);
  return (EVENTS / (performance.now() - started)) * 1_000;
}
