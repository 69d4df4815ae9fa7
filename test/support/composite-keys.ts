import { readFile } from "node:fs/promises";
import pg from "pg";
import { inject } from "vitest";
import type { ConsumerDefinition } from "../../runtime/definition/consumer-definition.js";
import type { TableDefinition } from "../../runtime/definition/table-definition.js";
import { buildServer } from "../../runtime/http/server.js";
import { applyBatch } from "../../runtime/inbox/apply.js";
import { buildModel } from "../../runtime/inbox/consumer-model.js";
import { type Parsed, parseMessage } from "../../runtime/inbox/parse.js";
import type { Verification } from "../../runtime/operate/findings.js";
import { verifyCache } from "../../runtime/operate/verify.js";
import { keyDigests } from "../../runtime/values/access-keys.js";
import { compile } from "./compile.js";
import { silent } from "./loggers.js";
import { applyFiles, openDatabase, plan, type TestDatabase } from "./migrations.js";
import { readSnapshot } from "./read-snapshot.js";

/*
 * The services of the scenario `composite-keys` on a real PostgreSQL, with the generated definitions and triggers. Events go from the
 * outbox to the consumer byte for byte.
 */

const KEY = "key";
const SCENARIO = new URL("../scenarios/emit/composite-keys/mesh.yaml", import.meta.url);

export interface Message {
  readonly subject: string;
  readonly body: string;
}

export interface Owner {
  readonly database: TestDatabase;
  readonly pool: pg.Pool;
  /** Of its REST. */
  readonly url: string;
  request(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; text: string; location: string | null }>;
  /** Takes what is in its outbox, in order. */
  take(): Promise<readonly Message[]>;
  close(): Promise<void>;
}

/** `before`: SQL that makes the tables which exist before the mesh. */
export async function openOwner(
  service: string,
  resources: Readonly<Record<string, TableDefinition>>,
  before = "",
): Promise<Owner> {
  const files = plan(compile(await readFile(SCENARIO, "utf8"))).files[service] ?? [];
  const database = await openDatabase(inject("postgres"));
  await database.client.query(before);
  await applyFiles(database.client, files);
  const pool = new pg.Pool({ connectionString: database.url, max: 4, options: "-c TimeZone=UTC" });
  const app = buildServer({
    service,
    resources: Object.entries(resources).map(([path, table]) => ({ path, table })),
    pool,
    keys: { operator: keyDigests(KEY), callers: [] },
    logger: silent,
    health: async () => ({ status: "ready", checks: {} }),
    operations: { resyncable: () => [], resync: async (durable) => ({ durable }) },
    closed: () => undefined,
  });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    database,
    pool,
    url,
    async request(method, path, body) {
      const headers = { authorization: `Bearer ${KEY}`, ...(body && { "content-type": "application/json" }) };
      const response = await fetch(url + path, {
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
      });
      return {
        status: response.status,
        text: await response.text(),
        location: response.headers.get("location"),
      };
    },
    async take() {
      const { rows } = await database.client.query<Message>(
        "SELECT subject, body FROM mesh.outbox ORDER BY seq",
      );
      await database.client.query("DELETE FROM mesh.outbox");
      return rows;
    },
    async close() {
      await app.close();
      await pool.end();
      await database.close();
    },
  };
}

export interface Subscriber {
  /** Applies messages as one batch; throws where one is a dead letter. */
  apply(messages: readonly Message[]): Promise<void>;
  parse(message: Message): Parsed;
  /** How many rows it set aside. */
  snapshot(): Promise<number>;
  verify(): Promise<Verification>;
}

/** One consumer of `dispatch`. `after`: the stream sequence of the message before its first, default 0. */
export function subscribe(
  pool: pg.Pool,
  consumer: ConsumerDefinition,
  source: {
    readonly url: string;
    readonly variable: string;
    readonly keyVariable: string;
    readonly after?: number;
  },
): Subscriber {
  const model = buildModel(consumer);
  const env = { [source.variable]: source.url, [source.keyVariable]: KEY };
  let seq = source.after ?? 0;
  const parse = ({ subject, body }: Message) => {
    seq += 1;
    return parseMessage(
      model,
      { subject, body: Buffer.from(body), seq, headers: {}, time: new Date() } as never,
      seq,
    );
  };
  return {
    parse,
    async apply(messages) {
      const events = messages.map((message) => {
        const parsed = parse(message);
        if (!parsed.ok) throw new Error(parsed.rejected.reason);
        return parsed.incoming;
      });
      await applyBatch(pool, { pool, model, logger: silent, origin: "event" }, events);
    },
    async snapshot() {
      await pool.query(
        "INSERT INTO mesh.subscription (durable, stream) VALUES ($1, 'SHOP') ON CONFLICT DO NOTHING",
        [consumer.durable],
      );
      const report = await readSnapshot({
        pool,
        model,
        env,
        noteSeq: async () => seq,
      });
      return report?.unfit ?? 0;
    },
    verify: () => verifyCache({ pool, consumer, env, settleMs: 10 }),
  };
}
