import pg from "pg";
import { afterEach, expect, it } from "vitest";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { waitFor } from "../../support/servers.js";
import { userConsumer } from "../../support/user-consumer.js";

let rig: Rig | undefined;
const pools: pg.Pool[] = [];
afterEach(async () => {
  await rig?.close();
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
});

function sessions(of: Rig, application: string): pg.Pool {
  const pool = new pg.Pool({ ...of.pool.options, application_name: application });
  pool.on("error", () => undefined);
  pools.push(pool);
  return pool;
}

it("what replicas of an older release left out is read from the source once the last of them is gone", async () => {
  rig = await openRig();
  rig.source = [{ user_id: "a", username: "name-a", display_name: "Ada", _version: 2 }];
  const pool = sessions(rig, "meshwright compute 0000aaaa");
  const consumer = await rig.start(userConsumer({ stream: rig.stream, sync: true }), { pool });
  await waitFor(() => consumer.stats().lastSnapshot?.rows === 1);
  const shown = async () => (await pool.query("SELECT display_name FROM user_cache")).rows[0]?.display_name;
  expect(await shown()).toBe("Ada");

  const older = sessions(rig, "meshwright compute 0000bbbb");
  const replica = await older.connect();
  // As its consumer applies an event: version and all, but for a column that it does not know.
  await replica.query("UPDATE user_cache SET display_name = ''");
  const reads = rig.reads();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(rig.reads()).toBe(reads);
  replica.release(true);
  await waitFor(async () => (await shown()) === "Ada", { what: "the column to be told again" });
});
