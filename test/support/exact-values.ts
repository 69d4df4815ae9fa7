import { readFile } from "node:fs/promises";
import type { FastifyInstance } from "fastify";
import pg from "pg";
import { inject } from "vitest";
import { inTransaction } from "../../runtime/database/transaction.js";
import { buildServer } from "../../runtime/http/server.js";
import { applyEvents } from "../../runtime/inbox/apply.js";
import { buildModel } from "../../runtime/inbox/consumer-model.js";
import { parseMessage } from "../../runtime/inbox/parse.js";
import type { Verification } from "../../runtime/operate/findings.js";
import { verifyCache } from "../../runtime/operate/verify.js";
import { keyDigests } from "../../runtime/values/access-keys.js";
import { archiveSampleConsumer } from "../scenarios/emit/exact-values/expected/archive/consumers/lab-sample.js";
import { samples } from "../scenarios/emit/exact-values/expected/lab/tables.js";
import { compile } from "./compile.js";
import { silent } from "./loggers.js";
import { openDatabase, plan, type TestDatabase } from "./migrations.js";
import { readSnapshot } from "./read-snapshot.js";

/*
 * The owner and the copy of the scenario `exact-values` on a real PostgreSQL, with the generated definitions, triggers
 * and validators: rows go in by SQL, REST and repository; events go from the outbox to the consumer byte for byte.
 */

const KEY = "key";
const SCENARIO = new URL("../scenarios/emit/exact-values/mesh.yaml", import.meta.url);

export interface Exact {
  readonly lab: TestDatabase;
  readonly archive: TestDatabase;
  /** A pool with the options that services use. */
  readonly pool: pg.Pool;
  request(method: string, path: string, body?: string): Promise<{ status: number; text: string }>;
  /** Takes the outbox's events and applies them to the copy. Resolves to their bodies; a refused one throws. */
  carry(): Promise<readonly string[]>;
  apply(body: string, action?: string): Promise<void>;
  snapshot(): Promise<void>;
  verify(): Promise<Verification>;
  close(): Promise<void>;
}

export async function openExact(): Promise<Exact> {
  const mesh = compile(await readFile(SCENARIO, "utf8"));
  const open = (service: string) => openDatabase(inject("postgres"), plan(mesh).files[service] ?? []);
  const [lab, archive] = await Promise.all([open("lab"), open("archive")]);
  const openPool = (url: string) =>
    new pg.Pool({ connectionString: url, max: 4, options: "-c TimeZone=UTC" });
  const [pool, copies] = [openPool(lab.url), openPool(archive.url)];
  const app = serve(pool);
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const consumer = archiveSampleConsumer();
  const model = buildModel(consumer);
  const env = { LAB_SERVICE_URL: url, ARCHIVE_TO_LAB_KEY: KEY };
  let seq = 0;
  const apply = async (body: string, action = "created") => {
    seq += 1;
    const message = {
      subject: `lab.sample.x.${action}`,
      body: Buffer.from(body),
      seq,
      headers: {},
      time: new Date(),
    };
    const parsed = parseMessage(model, message as never, seq);
    if (!parsed.ok) throw new Error(parsed.rejected.reason);
    await inTransaction(copies, (client) =>
      applyEvents(client, { pool: copies, model, logger: silent, origin: "event" }, [parsed.incoming]),
    );
  };
  return {
    lab,
    archive,
    pool,
    apply,
    async request(method, path, body) {
      const headers = { authorization: `Bearer ${KEY}`, ...(body && { "content-type": "application/json" }) };
      const response = await fetch(url + path, { method, headers, ...(body && { body }) });
      return { status: response.status, text: await response.text() };
    },
    async carry() {
      const { rows } = await lab.client.query<{ subject: string; body: string }>(
        "SELECT subject, body FROM mesh.outbox ORDER BY seq",
      );
      await lab.client.query("DELETE FROM mesh.outbox");
      for (const { subject, body } of rows) await apply(body, subject.split(".").at(-1));
      return rows.map(({ body }) => body);
    },
    async snapshot() {
      await copies.query(
        "INSERT INTO mesh.subscription (durable, stream) VALUES ($1, 'LAB') ON CONFLICT DO NOTHING",
        [consumer.durable],
      );
      await readSnapshot({
        pool: copies,
        model,
        env,
        noteSeq: async () => seq,
      });
    },
    verify: () => verifyCache({ pool: copies, consumer, env, settleMs: 10 }),
    async close() {
      await app.close();
      await Promise.all([pool.end(), copies.end()]);
      await Promise.all([lab.close(), archive.close()]);
    },
  };
}

function serve(pool: pg.Pool): FastifyInstance {
  return buildServer({
    service: "lab",
    resources: [{ path: "/api/samples", table: samples }],
    pool,
    keys: { operator: keyDigests(KEY), callers: [] },
    logger: silent,
    health: async () => ({ status: "ready", checks: {} }),
    operations: { resyncable: () => [], resync: async (durable) => ({ durable }) },
    closed: () => undefined,
  });
}
