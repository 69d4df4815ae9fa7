import { connect } from "nats";
import pg from "pg";
import type { Broker } from "../runtime/broker/broker.js";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import type { StreamDefinition } from "../runtime/definition/stream-definition.js";
import { startRelay } from "../runtime/outbox/relay.js";
import { silent } from "../test/support/loggers.js";
import { createMeshDatabase, dropAll } from "./database.js";
import { row } from "./row.js";
import type { Bench, Section, Servers } from "./section.js";

/*
 * The relay against bare publishing: the same client, the same events, as many in flight, every ack
 * awaited. Bare is measured twice: through the client's own `publish`, which is what there is without a
 * runtime, and through the runtime's, which is what the relay itself stands on, and faster. What the
 * relay adds is reading the rows, keeping their order, and deleting them.
 */

const IN_FLIGHT = 1_024;

interface Event {
  readonly event_id: string;
  readonly subject: string;
  readonly body: string;
}

export const relay: Section = {
  name: "relay",
  about: `A backlog of events in the outbox, published to the stream, each with its ack, and deleted. Bare publishing sends the same
events with as many in flight: once with the client's own \`publish\`, and once with the runtime's, which is faster.`,
  measure: async (bench) => {
    const rates = await relayContest(
      bench,
      await bench.servers(),
      bench.by({ smoke: 500, short: 10_000, full: 90_000 }),
    );
    const of = { unit: "/s", samples: rates.relay } as const;
    return [
      row({
        ...of,
        what: "events relayed",
        yardstick: { what: "the client's bare publishing", samples: rates.client },
        goal: { of: "ratio", atLeast: 0.8 },
      }),
      row({
        ...of,
        what: "events relayed, to the runtime's bare publishing",
        yardstick: { what: "the runtime's bare publishing", samples: rates.runtime },
        goal: { of: "ratio", atLeast: 0.8 },
      }),
    ];
  },
};

export type Rates = Readonly<Record<"client" | "runtime" | "relay", number[]>>;

/** Rounds that alternate, so that a busy moment of the machine affects all sides; the first warms everything up. */
export async function relayContest(bench: Bench, servers: Servers, count: number): Promise<Rates> {
  const service = `bench_${Date.now().toString(36)}`;
  const pool = new pg.Pool({ connectionString: await createMeshDatabase(servers, service), max: 2 });
  const broker = await connectJetStream({ url: servers.natsUrl, name: "bench", logger: silent });
  const stream: StreamDefinition = {
    name: service.toUpperCase(),
    subjects: [`${service}.user.*.*`],
    maxAgeSeconds: 3_600,
    maxMessages: 10_000_000,
    maxBytes: 4 * 1_024 ** 3,
    duplicateWindowSeconds: 120,
  };
  await broker.ensureStream(stream);
  const client = await connect({ servers: servers.natsUrl, noAsyncTraces: true });
  const jetstream = client.jetstream();
  const rates: Rates = { client: [], runtime: [], relay: [] };
  for (let round = 0; round <= bench.rounds; round += 1) {
    const events = await fillOutbox(pool, service, count);
    const measured = {
      client: await publishBare(
        ({ id, subject, body }, onSettled) =>
          void jetstream.publish(subject, body, { msgID: id }).then(onSettled, onSettled),
        withIds(events, "00000000"),
      ),
      runtime: await publishBare(broker.send, withIds(events, "11111111")),
      relay: await publishRelayed({ pool, broker, stream, count }),
    };
    const stored = await broker.streamState(stream.name);
    if (stored?.lastSeq !== 3 * count * (round + 1))
      throw new Error(`${stored?.lastSeq} messages in the stream`);
    if (round === 0) continue;
    for (const way of ["client", "runtime", "relay"] as const) rates[way].push(measured[way]);
  }
  await client.close();
  await broker.close();
  await pool.end();
  await dropAll(servers, service, stream.name);
  return rates;
}

async function fillOutbox(pool: pg.Pool, service: string, count: number): Promise<readonly Event[]> {
  const { rows } = await pool.query<Event>(
    `INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body)
     SELECT event_id, $2 || '.user.' || id || '.updated', $2 || '.user', id, 1,
            json_build_object('metadata', json_build_object('event_id', event_id, 'entity_id', id, 'timestamp', 1700000000,
              'source', 'bench-service', 'version', 1), 'user_id', id, 'username', 'user ' || id, 'display_name', 'User Number ' || id)::text
     FROM (SELECT gen_random_uuid() AS event_id, 'u' || place AS id FROM generate_series(1, $1::int) AS place) AS made
     RETURNING event_id, subject, body`,
    [count, service],
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

/** What is not stored is missed when the stream is counted. */
function publishBare(
  send: (message: Message, onSettled: () => void) => void,
  messages: readonly Message[],
): Promise<number> {
  return new Promise((resolve) => {
    const started = performance.now();
    let [next, settled] = [0, 0];
    const sendNext = () => {
      const message = messages[next++];
      if (message) send(message, onSettled);
    };
    const onSettled = () => {
      settled += 1;
      if (settled === messages.length) resolve((messages.length / (performance.now() - started)) * 1_000);
      else sendNext();
    };
    for (let sent = 0; sent < IN_FLIGHT; sent += 1) sendNext();
  });
}

interface Relayed {
  readonly pool: pg.Pool;
  readonly broker: Broker;
  readonly stream: StreamDefinition;
  readonly count: number;
}

/** Measures from the first ack to the last deleted row, without the relay's start (connection, lock, comparison with the stream). */
async function publishRelayed({ pool, broker, stream, count }: Relayed): Promise<number> {
  let started = 0;
  const timed: Broker = {
    ...broker,
    send: (message, onSettled) => {
      if (started === 0) started = performance.now();
      broker.send(message, onSettled);
    },
  };
  // Else the relay would take the bare messages for events that its database never counted.
  const state = await broker.streamState(stream.name);
  await pool.query(
    "WITH known AS (UPDATE mesh.relay SET stream = $1, stream_created = $2) UPDATE mesh.relay_progress SET last_seq = $3",
    [stream.name, state?.created, state?.lastSeq],
  );
  const relay = startRelay({
    pool,
    broker: timed,
    service: { name: "bench", stream, publishes: stream.subjects },
    logger: silent,
  });
  while (relay.stats().published < count) await new Promise((wake) => setTimeout(wake, 5));
  await relay.stop();
  const { rows } = await pool.query<{ left: string }>("SELECT count(*) AS left FROM mesh.outbox");
  if (Number(rows[0]?.left) !== 0) throw new Error(`${rows[0]?.left} rows were left in the outbox`);
  return (count / (performance.now() - started)) * 1_000;
}
