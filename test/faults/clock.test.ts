import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readPendingRetries } from "../../runtime/consumer/retries.js";
import { waitFor } from "../support/servers.js";
import { type Copy, DURABLE, openCopy } from "../support/user-copy.js";

/*
 * A service whose clock is an hour away from its database's. Times that both have to do with are of the
 * database; what is left of them is counted by the service.
 */

const HOUR_MS = 3_600_000;

let copy: Copy;
beforeEach(async () => {
  copy = await openCopy();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await copy.close();
});

function moveClock(byMs: number): void {
  const real = Date.now.bind(Date);
  vi.spyOn(Date, "now").mockImplementation(() => real() + byMs);
}

describe.each([
  ["behind", -HOUR_MS],
  ["ahead", HOUR_MS],
])("a service whose clock is an hour %s", (_, byMs) => {
  it("retries a failed event when its back-off ends, and keeps its entity's later events behind it", async () => {
    moveClock(byMs);
    let failures = 2;
    const calls: string[] = [];
    const note =
      (what: string) =>
      async ({ event }: { readonly event: { readonly user_id: string } }) => {
        if (what === "created" && event.user_id === "bad" && failures > 0) {
          failures -= 1;
          throw new Error("not yet");
        }
        calls.push(`${what} ${event.user_id}`);
      };
    const hooks = { created: note("created"), updated: note("updated") };
    await copy.start({ hooks, attempts: 5, backoffSeconds: [0.3] });
    await copy.say({ id: "bad", action: "created", version: 1 });
    await waitFor(() => failures < 2);
    await copy.say(
      { id: "bad", version: 2, username: "later" },
      { id: "other", action: "created", version: 1 },
    );
    await copy.untilNames({ bad: "later", other: "name-other" }, 8_000);
    expect(calls).toEqual(["created other", "created bad", "updated bad"]);
  });

  it("reads the back-off of an attempt from the database, as another replica does", async () => {
    await copy.pool.query(`INSERT INTO mesh.subscription (durable, stream) VALUES ('${DURABLE}', 'S')`);
    await copy.pool.query(`INSERT INTO mesh.attempt (stream, stream_seq, durable, entity, entity_id, attempts, next_at)
      VALUES ('S', 1, '${DURABLE}', 'auth.user', 'a', 1, now() + interval '20 s')`);
    moveClock(byMs);
    const { bySeq } = await readPendingRetries(copy.pool, DURABLE);
    const waitMs = (bySeq.get(1)?.dueAt ?? 0) - Date.now();
    expect(waitMs).toBeGreaterThan(10_000);
    expect(waitMs).toBeLessThanOrEqual(20_000);
  });

  it("takes its periodic snapshots once per period", async () => {
    moveClock(byMs);
    let asked = 0;
    copy.serve((_, response) => {
      asked += 1;
      response.end("[]");
    });
    const hourly = await copy.start({ sync: true, everySeconds: 1_800 });
    await waitFor(() => asked === 1);
    await new Promise((wake) => setTimeout(wake, 800));
    expect(asked).toBe(1);
    await hourly.stop();
    await copy.start({ sync: true, everySeconds: 1 });
    await waitFor(() => asked >= 4, { timeoutMs: 6_000, what: "two snapshots a second apart" });
  });
});

describe("a database whose clock is set back", () => {
  it("does not delay the next periodic snapshot", async () => {
    let asked = 0;
    copy.serve((_, response) => {
      asked += 1;
      response.end("[]");
    });
    await copy.start({ sync: true, everySeconds: 1_800 });
    await waitFor(() => asked === 1);
    await waitFor(async () => {
      const { rowCount } = await copy.pool.query(
        "UPDATE mesh.subscription SET snapshot_at = snapshot_at + interval '1 hour' WHERE snapshot_at IS NOT NULL",
      );
      return rowCount === 1;
    });
    await waitFor(() => asked === 2);
  });

  it("does not delay the next retry of an event", async () => {
    let failures = 1;
    const created = async () => {
      failures -= 1;
      if (failures >= 0) throw new Error("not yet");
    };
    await copy.start({ hooks: { created }, backoffSeconds: [1] });
    await copy.say({ id: "a", action: "created", version: 1 });
    await waitFor(async () => {
      const { rowCount } = await copy.pool.query(
        "UPDATE mesh.attempt SET next_at = next_at + interval '1 hour' WHERE last_error IS NOT NULL",
      );
      return rowCount === 1;
    });
    await copy.untilNames({ a: "name-a" });
  });
});
