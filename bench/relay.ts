import { connect } from "nats";
import pg from "pg";
import type { Broker } from "../runtime/broker/broker.js";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import type { StreamDefinition } from "../runtime/definition/stream-definition.js";
import { startRelay } from "../runtime/outbox/relay.js";
import { silent } from "../test/support/loggers.js";
import { median, type Row } from "./report.js";

/*
 * The relay against bare publishing: the same client, the same events, as many in flight, every ack
 * awaited. Bare is measured twice: through the client's own `publish`, which is what there is without a
 * runtime, and through the runtime's, which is what the relay itself stands on, and faster. What the
 * relay adds is reading the rows, keeping their order, and deleting them.
 */

const EVENTS = 20_000;
const IN_FLIGHT = 1_024;
const ROUNDS = 5;
const BUDGET = 0.8;

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

/** Medians of rounds that alternate, so that a busy moment of the machine affects both sides. */
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
  const client = await connect({ servers: options.natsUrl.replace(/^nats:\/\//, ""), noAsyncTraces: true });
  const jetstream = client.jetstream();
  const rates = { client: [] as number[], runtime: [] as number[], relay: [] as number[] };
  for (let round = 0; round <= ROUNDS; round += 1) {
    const events = await fillOutbox(pool, service);
    const measured = {
      client: await publishBare(
        ({ id, subject, body }) => jetstream.publish(subject, body, { msgID: id }),
        withIds(events, "00000000"),
      ),
      runtime: await publishBare((message) => broker.publish(message), withIds(events, "11111111")),
      relay: await publishRelayed(pool, broker, stream),
    };
    // The first round warms everything up.
    if (round === 0) continue;
    for (const way of ["client", "runtime", "relay"] as const) rates[way].push(measured[way]);
  }
  await client.close();
  await broker.close();
  await pool.end();
  return rowsOf(rates);
}

type Rates = Readonly<Record<"client" | "runtime" | "relay", readonly number[]>>;

function rowsOf(rates: Rates): readonly Row[] {
  const rate = (what: string, of: readonly number[]) => ({
    what,
    value: `${Math.round(median(of))}/s`,
    budget: "",
    met: true,
  });
  const against = (bare: readonly number[]) =>
    median(rates.relay.map((relay, round) => relay / (bare[round] ?? relay)));
  const percent = (ratio: number) => `${(ratio * 100).toFixed(0)}%`;
  const ratio = against(rates.client);
  return [
    rate("bare publishing, the client's", rates.client),
    rate("bare publishing, the runtime's", rates.runtime),
    rate(`relay, backlog of ${EVENTS}`, rates.relay),
    {
      what: "relay / the client's bare publishing",
      value: percent(ratio),
      budget: `≥ ${percent(BUDGET)}`,
      met: ratio >= BUDGET,
    },
    {
      what: "relay / the runtime's bare publishing",
      value: percent(against(rates.runtime)),
      budget: "",
      met: true,
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
  // Vacuum between the rounds, so that autovacuum does not run within one of them.
  await pool.query("VACUUM ANALYZE mesh.outbox");
  return rows;
}

interface Message {
  readonly id: string;
  readonly subject: string;
  readonly body: Uint8Array;
}

/** The same events under new ids: else the broker would drop the next round's as duplicates. */
function withIds(events: readonly Event[], start: string): readonly Message[] {
  return events.map(({ event_id, subject, body }) => ({
    id: start + event_id.slice(start.length),
    subject,
    body: Buffer.from(body),
  }));
}

async function publishBare(
  publish: (message: Message) => Promise<unknown>,
  messages: readonly Message[],
): Promise<number> {
  const started = performance.now();
  let next = 0;
  const worker = async () => {
    for (let message = messages[next++]; message; message = messages[next++]) await publish(message);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return (messages.length / (performance.now() - started)) * 1_000;
}

/** Measures from the first ack to the last deleted row, without the relay's start (connection, lock, comparison with the stream). */
async function publishRelayed(pool: pg.Pool, broker: Broker, stream: StreamDefinition): Promise<number> {
  let started = 0;
  const timed: Broker = {
    ...broker,
    publish: (message) => {
      if (started === 0) started = performance.now();
      return broker.publish(message);
    },
  };
  // Else the relay would take the bare messages for events that its database never counted.
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
