import { afterEach, expect, test } from "vitest";
import { bareClient, startMesh, type TestMesh, waitFor } from "../support/reference-mesh.js";

let mesh: TestMesh;
afterEach(() => mesh?.stop());

/** Traffic: users by plain SQL, in many small transactions. */
async function registerMany(prefix: string, count: number): Promise<void> {
  for (let done = 0; done < count; done += 25) {
    await mesh.databases.auth.query(
      "INSERT INTO users (user_id, username) SELECT $1 || n, $1 || n FROM generate_series($2::int, $3::int) n",
      [prefix, done, done + 24],
    );
  }
}

async function counted(sql: string): Promise<number> {
  const found = await mesh.databases.sfs.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${sql}`);
  return found.rows[0]?.n ?? 0;
}

const complete = (count: number, timeoutMs = 40_000) =>
  waitFor(async () => (await counted("user_cache")) === count, {
    timeoutMs,
    what: `${count} users in the cache`,
  });

/** Each registration had its effect once, whoever handled it and however often it was delivered. */
async function expectEffectsOnce(count: number): Promise<void> {
  expect(await counted("handled")).toBe(count);
  expect(await counted("(SELECT DISTINCT user_id FROM handled) AS once")).toBe(count);
}

test("two replicas of one service share the work, and each effect happens exactly once", async () => {
  mesh = await startMesh({ start: ["auth", "sfs"] });
  await mesh.replica("sfs");
  for (let round = 0; (await processes()) < 2 && round < 20; round += 1) {
    await registerMany(`r${round}-`, 250);
    await complete((round + 1) * 250);
  }
  expect(await processes()).toBe(2);
  await expectEffectsOnce(await counted("user_cache"));
});

const processes = () => counted("(SELECT DISTINCT process FROM handled) AS p").catch(() => 0);

test("two replicas, users registered and renamed at once: a hook's events are not applied out of order", async () => {
  mesh = await startMesh({ start: ["auth", "sfs"] });
  await mesh.replica("sfs");
  const count = 1_500;
  for (let at = 0; at < count; at += 1) {
    await mesh.databases.auth.query("INSERT INTO users (user_id, username) VALUES ($1, $1)", [`r${at}`]);
    await mesh.databases.auth.query("UPDATE users SET username = $2 WHERE user_id = $1", [
      `r${at}`,
      `s${at}`,
    ]);
  }
  await waitFor(async () => (await counted("user_cache WHERE username LIKE 's%'")) === count, {
    timeoutMs: 60_000,
    what: `${count} renamed users in the cache`,
  });
  expect(await processes()).toBe(2);
  await expectEffectsOnce(count);
  expect(await counted("mesh.dead_letter")).toBe(0);
});

test("SIGTERM under load: exit code 0, buffered messages are handed back, nothing is lost", async () => {
  mesh = await startMesh({ start: ["auth", "sfs"] });
  const traffic = registerMany("t", 3_000);
  await waitFor(async () => (await counted("user_cache")) > 100);
  const started = Date.now();
  expect(await mesh.services.sfs.stop()).toBe("exit code 0");
  expect(Date.now() - started).toBeLessThan(8_000);
  await traffic;
  expect(await mesh.services.auth.stop()).toBe("exit code 0");
  await mesh.services.auth.start();
  await mesh.services.sfs.start();
  // Buffered messages were handed back: no redelivery has to wait for the ack wait of 30 s.
  await complete(3_000, 10_000);
  await expectEffectsOnce(3_000);
});

test("kill -9 of publisher and consumer under load: at least once delivery, and each effect exactly once", async () => {
  mesh = await startMesh({ start: ["auth", "sfs"] });
  const traffic = registerMany("k", 3_000);
  await waitFor(async () => (await counted("user_cache")) > 100);
  expect(await mesh.services.sfs.kill()).toBe("SIGKILL");
  await mesh.services.sfs.start();
  await mesh.services.auth.kill();
  await traffic;
  await mesh.services.auth.start();
  await complete(3_000);
  const bare = await bareClient(mesh.operatorUrl);
  await waitFor(async () => (await bare.jsm.consumers.info("AUTH", "sfs_auth_user")).num_pending === 0);
  expect(await bare.stored("AUTH", "auth.user.*.created")).not.toHaveLength(0);
  await bare.close();
  await expectEffectsOnce(3_000);
});
