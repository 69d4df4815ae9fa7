import { randomUUID } from "node:crypto";
import pg from "pg";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import { silent } from "../test/support/loggers.js";
import {
  CONSUMER_TABLES,
  type ConsumerRun,
  definitionOn,
  type Published,
  publishEvents,
} from "./consumer.js";
import { createMeshDatabase, dropAll } from "./database.js";
import type { Servers } from "./section.js";

export interface FilledStream extends ConsumerRun {
  readonly servers: Servers;
  /** Name of the stream, and of the first database. */
  readonly token: string;
  readonly database: string;
}

/** A stream with this many events and an empty copy, for as long as `use` takes. */
export async function withFilledStream<T>(
  servers: Servers,
  events: number,
  use: (stream: FilledStream) => Promise<T>,
  published: Omit<Published, "count"> = {},
): Promise<T> {
  const token = `bench${randomUUID().slice(0, 8)}`;
  const database = await createMeshDatabase(servers, token, CONSUMER_TABLES);
  const pool = new pg.Pool({ connectionString: database, max: 4, options: "-c TimeZone=UTC" });
  const broker = await connectJetStream({ url: servers.natsUrl, name: token, logger: silent });
  const definition = definitionOn(token);
  try {
    await broker.ensureStream(definition.stream);
    await publishEvents(servers.natsUrl, token, { ...published, count: events });
    return await use({ servers, token, database, pool, broker, definition, events });
  } finally {
    await broker.close();
    await pool.end();
    await dropAll(servers, token, token);
  }
}
