import { Pool } from "pg";
import { expect, inject, test } from "vitest";
import { whileAnswering } from "../../../generator/cli/while-answering.js";
import { NoAnswer } from "../../../runtime/operate/answer-within.js";
import { startTcpProxy } from "../../support/tcp-proxy.js";

const TIMES = { everyMs: 20, answerMs: 1_000 };

test("work on a database is waited for while it answers, and given up once it does not", async () => {
  const url = new URL(inject("postgres"));
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const pool = new Pool({ connectionString: url.href, max: 2 });
  pool.on("error", () => undefined);
  const sleeping = (seconds: number) => () => pool.query(`SELECT pg_sleep(${seconds})`);
  // Longer than any answer may take.
  expect((await whileAnswering(pool, sleeping(1.5), TIMES)).rowCount).toBe(1);
  await expect(whileAnswering(pool, () => pool.query("SELECT nothing"), TIMES)).rejects.toThrow(
    'column "nothing" does not exist',
  );
  const given = whileAnswering(pool, sleeping(60), TIMES);
  setTimeout(() => proxy.setWeather({ silent: "down" }), 100);
  await expect(given).rejects.toThrow(new NoAnswer("no answer within 1 s"));
  proxy.setWeather({});
  // No session beside the work's can be had.
  const fresh = new Pool({ connectionString: url.href, max: 2, connectionTimeoutMillis: 200 });
  fresh.on("error", () => undefined);
  const client = await fresh.connect();
  client.on("error", () => undefined);
  proxy.setWeather({ silent: "down" });
  const alone = whileAnswering(fresh, () => client.query("SELECT pg_sleep(60)"), TIMES);
  await expect(alone).rejects.toThrow(new NoAnswer("no answer within 1 s"));
  proxy.cut();
  client.release(true);
  await Promise.all([pool.end(), fresh.end()]);
  await proxy.close();
}, 30_000);
