import { createInterface } from "node:readline";
import pg from "pg";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import type { StreamDefinition } from "../../../runtime/definition/stream-definition.js";
import { startRelay } from "../../../runtime/outbox/relay.js";
import { recordingLogger } from "../loggers.js";

/*
 * A relay in a process of its own, so that a test can stop and kill it. For each line on its standard input
 * it answers with its stats.
 */

const { url, natsUrl, stream } = JSON.parse(process.argv[2] ?? "{}") as {
  readonly url: string;
  readonly natsUrl: string;
  readonly stream: StreamDefinition;
};
const name = stream.name.toLowerCase();
const logger = recordingLogger();
const pool = new pg.Pool({ connectionString: url });
const broker = await connectJetStream({ url: natsUrl, name, logger });
const service = { name, stream, publishes: [`${name}.user.*.*`] };
const relay = startRelay({ pool, broker, service, logger });
for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(relay.stats())}\n`);
}
await relay.stop();
await broker.close();
await pool.end();
